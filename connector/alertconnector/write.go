// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"math"
	"slices"
	"text/template"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/engine"
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/rule"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// ruleTemplate holds what a rule adds to its alerts.
type ruleTemplate struct {
	metric      string
	context     *template.Template
	runbookURL  string
	annotations map[string]string
}

func (c *Config) ruleTemplates() (map[string]*ruleTemplate, error) {
	all := map[string]*ruleTemplate{}
	for i := range c.Rules {
		r := &c.Rules[i]
		context, err := parseContext(r.Context)
		if err != nil {
			return nil, err
		}
		all[r.Name] = &ruleTemplate{metric: r.Metric, context: context, runbookURL: r.RunbookURL, annotations: r.Annotations}
	}
	return all, nil
}

// severities maps common severities to those of OpenTelemetry. Others are warnings.
var severities = map[string]plog.SeverityNumber{
	"debug": plog.SeverityNumberDebug, heartbeatSeverity: plog.SeverityNumberInfo,
	"info": plog.SeverityNumberInfo, "notice": plog.SeverityNumberInfo2,
	"warning": plog.SeverityNumberWarn, "warn": plog.SeverityNumberWarn, "minor": plog.SeverityNumberWarn,
	"error": plog.SeverityNumberError, "major": plog.SeverityNumberError, "critical": plog.SeverityNumberError,
	"page": plog.SeverityNumberFatal, "emergency": plog.SeverityNumberFatal, "fatal": plog.SeverityNumberFatal,
}

// episodeOf returns the alert_id of an engine's episode. It contains the name of the connector,
// where that has one: the rules of two connectors may have the same name.
func episodeOf(connector component.ID, id string) string {
	if connector.Name() == "" {
		return id
	}
	hash := sha256.Sum256([]byte(id + connector.Name()))
	return hex.EncodeToString(hash[:16])
}

// writeAlert adds an alert, on a resource with its attributes. An error concerns the
// context only.
func writeAlert(to plog.Logs, a *engine.Alert, p *ruleTemplate, now time.Time) error {
	resource := to.ResourceLogs().AppendEmpty()
	putAttributes(resource.Resource().Attributes(), a.Attributes)
	scope := resource.ScopeLogs().AppendEmpty()
	scope.Scope().SetName(metadata.ScopeName)
	record := scope.LogRecords().AppendEmpty()
	record.SetEventName(wsevent.AlertFiring)
	if a.Resolved {
		record.SetEventName(wsevent.AlertResolved)
	}
	record.SetTimestamp(nanoseconds(a.End))
	record.SetObservedTimestamp(pcommon.NewTimestampFromTime(now))
	record.SetSeverityNumber(plog.SeverityNumberWarn)
	if n, ok := severities[a.Severity]; ok {
		record.SetSeverityNumber(n)
	}
	record.SetSeverityText(a.Severity)
	record.Attributes().PutStr(wsevent.AlertID, a.ID)
	context := ""
	var err error
	if p != nil && p.context != nil {
		if context, err = render(p.context, templateDataOf(a, p.metric)); err != nil {
			context += " (the context template failed: " + err.Error() + ")"
		}
	}
	writeBody(record.Body().SetEmptyMap(), a, p, context)
	return err
}

func writeBody(body pcommon.Map, a *engine.Alert, p *ruleTemplate, context string) {
	body.EnsureCapacity(19)
	body.PutStr(wsevent.KeyAlertType, a.Severity)
	body.PutStr(wsevent.KeyAlertMetric, a.Rule)
	putNumber(body, wsevent.KeyAlertValue, a.Value)
	putNumber(body, wsevent.KeyAlertThreshold, a.Threshold)
	for _, name := range dimensions {
		if value, ok := a.Attributes.Get(name); ok {
			body.PutStr(name, value)
		}
	}
	body.PutInt(wsevent.KeyWindowStart, a.Start)
	body.PutInt(wsevent.KeyAlertWindowEnd, a.End)
	body.PutStr(wsevent.KeyContext, context)
	body.PutStr(wsevent.KeyStatus, status(a))
	body.PutStr(wsevent.AlertID, a.ID)
	putNumber(body, wsevent.KeyBaseline, a.Baseline)
	writeSnapshot(body.PutEmptyMap(wsevent.KeySnapshot), a.Snapshot)
	if len(a.Traces) > 0 {
		traces := body.PutEmptySlice(wsevent.KeyAlertTraces)
		for _, id := range a.Traces {
			traces.AppendEmpty().SetStr(id)
		}
	}
	if p != nil && p.runbookURL != "" {
		body.PutStr(wsevent.KeyRunbookURL, p.runbookURL)
	}
	if p != nil && len(p.annotations) > 0 {
		annotations := body.PutEmptyMap(wsevent.KeyAnnotations)
		for _, name := range slices.Sorted(maps.Keys(p.annotations)) {
			annotations.PutStr(name, p.annotations[name])
		}
	}
	if labels := others(a.Attributes); len(labels) > 0 {
		putAttributes(body.PutEmptyMap(wsevent.KeyLabels), labels)
	}
	if a.FaultDomain != "" {
		body.PutStr(wsevent.KeyFaultDomain, a.FaultDomain)
	}
	if a.EndsAt > 0 {
		body.PutInt(wsevent.KeyEndsAt, a.EndsAt)
	}
	switch a.Reason.Cause {
	case rule.Fired, rule.Cleared, rule.Repeated:
	default:
		body.PutStr(wsevent.KeyReason, a.Reason.String())
	}
}

// dimensions are in the order of the payload.
var dimensions = []string{wsevent.Region, wsevent.TenantID, wsevent.ChannelType}

// others returns the attributes besides the dimensions.
func others(attributes engine.Attributes) (labels engine.Attributes) {
	for _, attribute := range attributes {
		switch attribute.Name {
		case wsevent.Region, wsevent.TenantID, wsevent.ChannelType:
		default:
			labels = append(labels, attribute)
		}
	}
	return labels
}

// maxSnapshot bounds the metrics of a snapshot.
const maxSnapshot = 100

func writeSnapshot(to pcommon.Map, values []engine.Value) {
	for _, v := range values[:min(len(values), maxSnapshot)] {
		if !math.IsNaN(v.Value) && !math.IsInf(v.Value, 0) { // JSON does not have those
			to.PutDouble(v.Metric, v.Value)
		}
	}
}

func putNumber(to pcommon.Map, key string, n *float64) {
	if value := to.PutEmpty(key); n != nil {
		value.SetDouble(*n)
	}
}

func putAttributes(to pcommon.Map, attributes engine.Attributes) {
	to.EnsureCapacity(len(attributes) + 2)
	for _, attribute := range attributes {
		if attribute.Name == wsevent.Overflow { // a bool at its source
			to.PutBool(attribute.Name, attribute.Value == "true")
			continue
		}
		to.PutStr(attribute.Name, attribute.Value)
	}
}

// writePoints returns the baselines, thresholds, their number of windows, and firing states.
func writePoints(evaluations []engine.Evaluation, templates map[string]*ruleTemplate) pmetric.Metrics {
	metrics := pmetric.NewMetrics()
	scope := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty()
	scope.Scope().SetName(metadata.ScopeName)
	add := func(name, unit, description string, value func(*engine.Evaluation) *float64) {
		metric := scope.Metrics().AppendEmpty()
		metric.SetName(name)
		metric.SetUnit(unit)
		metric.SetDescription(description)
		points := metric.SetEmptyGauge().DataPoints()
		for i := range evaluations {
			if n := value(&evaluations[i]); n != nil {
				writePoint(points.AppendEmpty(), &evaluations[i], templates[evaluations[i].Rule], *n)
			}
		}
	}
	add(wsevent.MetricAlertBaseline, "", "Baseline of the series, in the unit of the rule's metric; absent while it is learned.",
		func(e *engine.Evaluation) *float64 { return e.Baseline })
	add(wsevent.MetricAlertThreshold, "", "The threshold, in the unit of the rule's metric; absent while its baseline is learned.",
		func(e *engine.Evaluation) *float64 { return e.Threshold })
	add(wsevent.MetricAlertFor, "{window}", "Number of consecutive windows beyond the threshold before the alert fires; absent without a threshold.",
		func(e *engine.Evaluation) *float64 {
			windows := float64(e.For)
			if e.Threshold == nil {
				return nil
			}
			return &windows
		})
	add(wsevent.MetricAlertFiring, "", "1 while the alert fires, otherwise 0.",
		func(e *engine.Evaluation) *float64 {
			firing := 0.0
			if e.Firing {
				firing = 1
			}
			return &firing
		})
	scope.Metrics().RemoveIf(func(metric pmetric.Metric) bool { return metric.Gauge().DataPoints().Len() == 0 })
	return metrics
}

func writePoint(point pmetric.NumberDataPoint, e *engine.Evaluation, p *ruleTemplate, value float64) {
	putAttributes(point.Attributes(), e.Attributes)
	point.Attributes().PutStr(wsevent.AlertRule, e.Rule)
	point.Attributes().PutStr(wsevent.AlertSeverity, e.Severity)
	if p != nil {
		point.Attributes().PutStr(wsevent.AlertMetric, p.metric)
	}
	point.SetStartTimestamp(nanoseconds(e.Start))
	point.SetTimestamp(nanoseconds(e.End))
	point.SetDoubleValue(value)
}

func nanoseconds(ms int64) pcommon.Timestamp { return pcommon.Timestamp(max(0, ms) * 1e6) }
