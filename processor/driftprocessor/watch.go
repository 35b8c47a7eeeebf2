// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package driftprocessor

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

const (
	updateInterval = time.Second
	// logInterval is the interval at which streams that still drift are logged.
	logInterval = time.Minute
)

// watch updates the streams once a second and reports changes, until ctx ends.
func (p *driftProcessor) watch(ctx context.Context) {
	ticker := time.NewTicker(updateInterval)
	defer ticker.Stop()
	var throttle logThrottle
	r := reporter{p: p, due: p.now() + p.config.Interval}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			now := p.now()
			p.log(p.update(now), &throttle, now)
			r.report(ctx, now)
		}
	}
}

// change is the result of one update of all streams.
type change struct {
	begun, ended, drifting summary
}

// summary summarizes streams and names the worst: all of them drift at once when our own
// clock is wrong.
type summary struct {
	streams int
	worst   stream
}

func (s *summary) add(one *stream) {
	if s.streams == 0 || one.estimate.Offset.Abs() > s.worst.estimate.Offset.Abs() {
		s.worst = *one
	}
	s.streams++
}

func (s *summary) fields() []zap.Field {
	return []zap.Field{
		zap.Int("streams", s.streams),
		zap.String(wsevent.TenantID, s.worst.key.tenant),
		zap.String(wsevent.Region, s.worst.key.region),
		zap.Duration("skew", s.worst.estimate.Offset),
		zap.Duration("error", s.worst.estimate.Error),
	}
}

func (p *driftProcessor) update(now time.Duration) (c change) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.streams.dropIdle(now)
	for _, s := range p.streams.all {
		before := s.drift.On
		s.update(now, p.config.Correct)
		switch {
		case s.drift.On && !before:
			c.begun.add(s)
		case !s.drift.On && before:
			c.ended.add(s)
		}
		if s.drift.On {
			c.drifting.add(s)
		}
	}
	return c
}

// logThrottle is when drifting streams were last logged.
type logThrottle struct{ last time.Duration }

// log logs changes, and once a minute what lasts. It names the worst stream.
func (p *driftProcessor) log(c change, r *logThrottle, now time.Duration) {
	if c.ended.streams > 0 {
		p.logger.Info("Clocks of streams are within tolerance again, or have no events", c.ended.fields()...)
	}
	switch {
	case c.begun.streams > 0:
		p.logger.Warn("Clocks of streams are beyond tolerance", append(c.begun.fields(), p.hostField(now)...)...)
		r.last = now
	case c.drifting.streams > 0 && now-r.last >= logInterval:
		p.logger.Warn("Clocks of streams are still beyond tolerance", append(c.drifting.fields(), p.hostField(now)...)...)
		r.last = now
	}
}

// hostField is the offset of our own clock, where it is known.
func (p *driftProcessor) hostField(now time.Duration) []zap.Field {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if offset, known := p.host.offset(now); known {
		return []zap.Field{zap.Duration("host_offset", offset)}
	}
	return nil
}

// reporter sends clock records. Those of a drift's start and end are sent again each
// second until downstream accepts them; skews are sent again at the next interval.
type reporter struct {
	p       *driftProcessor
	due     time.Duration
	refused bool
}

func (t *reporter) report(ctx context.Context, now time.Duration) {
	due := t.isDue(now)
	records := t.p.clockRecords(now, due)
	var err error
	if records.count > 0 {
		err = t.p.next.ConsumeLogs(ctx, records.logs)
		t.logRefusal(ctx, err, records.count)
	}
	switch {
	case err == nil:
	case consumererror.IsPermanent(err):
		t.p.telemetry.DriftRefusedRecords.Add(ctx, int64(records.count))
	default:
		return // and retry with the next update
	}
	t.p.accepted(records)
	for t.isDue(now) {
		t.due += t.p.config.Interval
	}
}

// isDue rounds: updates may be a little early or late.
func (t *reporter) isDue(now time.Duration) bool { return now+updateInterval/2 >= t.due }

// logRefusal logs the first refusal of a series of them.
func (t *reporter) logRefusal(ctx context.Context, err error, records int) {
	if err != nil && !t.refused && ctx.Err() == nil {
		t.p.logger.Warn("Downstream refuses clock records", zap.Int("records", records), zap.Error(err))
	}
	t.refused = err != nil
}
