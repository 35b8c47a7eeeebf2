// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package driftprocessor

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/processor/driftprocessor/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/processor/driftprocessor/internal/skew"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// clockRecords are the clock records of one update, and the drifts that they report.
type clockRecords struct {
	logs   plog.Logs
	count  int
	drifts map[*stream]bool
}

// clockRecords returns the records to send: those of every stream when due, else only the
// starts and ends of drifts.
func (p *driftProcessor) clockRecords(now time.Duration, due bool) clockRecords {
	n := clockRecords{logs: plog.NewLogs(), drifts: map[*stream]bool{}}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	clock := writer{
		at:        pcommon.NewTimestampFromTime(time.Now()),
		tolerance: p.config.Tolerance,
	}
	clock.host, clock.hostKnown = p.host.offset(now)
	for _, s := range p.streams.all {
		phase, skewed := s.phase(due), due && s.known
		if phase == "" && !skewed {
			continue
		}
		records := addResource(n.logs, s)
		if skewed {
			clock.write(records.AppendEmpty(), wsevent.ClockSkew, &s.estimate)
		}
		if phase != "" {
			record := records.AppendEmpty()
			clock.write(record, wsevent.ClockDrift, &s.estimate)
			record.Attributes().PutStr(wsevent.ClockPhase, phase)
			clock.attributeFault(record, &s.estimate)
			n.drifts[s] = s.drift.On
		}
	}
	n.count = n.logs.LogRecordCount()
	return n
}

// accepted records the drifts that downstream has accepted.
func (p *driftProcessor) accepted(n clockRecords) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for s, drifts := range n.drifts {
		s.reported = drifts
	}
}

func addResource(logs plog.Logs, s *stream) plog.LogRecordSlice {
	resource := logs.ResourceLogs().AppendEmpty()
	attributes := resource.Resource().Attributes()
	attributes.EnsureCapacity(4)
	if s.platform != "" {
		attributes.PutStr(wsevent.Platform, s.platform)
	}
	wslog.PutTags(attributes, wsevent.Tags{TenantID: s.key.tenant, Region: s.key.region, ChannelType: wsevent.Unknown})
	scope := resource.ScopeLogs().AppendEmpty()
	scope.Scope().SetName(metadata.ScopeName)
	return scope.LogRecords()
}

// writer writes clock records of one time.
type writer struct {
	at        pcommon.Timestamp
	tolerance time.Duration
	host      time.Duration
	hostKnown bool
}

func (w *writer) write(record plog.LogRecord, name string, estimate *skew.Estimate) {
	record.SetEventName(name)
	record.SetTimestamp(w.at)
	record.SetObservedTimestamp(w.at)
	attributes := record.Attributes()
	attributes.EnsureCapacity(7)
	attributes.PutDouble(wsevent.ClockSkewOffset, milliseconds(estimate.Offset))
	attributes.PutDouble(wsevent.ClockError, milliseconds(estimate.Error))
	attributes.PutInt(wsevent.ClockSamples, estimate.Samples)
	if estimate.RateKnown {
		attributes.PutDouble(wsevent.ClockDriftRate, estimate.Rate)
	}
	if w.hostKnown {
		attributes.PutDouble(wsevent.ClockHostOffset, milliseconds(w.host))
	}
}

// attributeFault records whose clock is wrong, where there is a reference.
func (w *writer) attributeFault(record plog.LogRecord, estimate *skew.Estimate) {
	if w.hostKnown {
		record.Attributes().PutStr(wsevent.ClockCulprit, string(skew.AttributeFault(estimate.Offset, w.host, w.tolerance)))
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
