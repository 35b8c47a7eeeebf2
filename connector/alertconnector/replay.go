// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/engine"
)

// Replay applies the rules of a configuration to recorded metrics. It is the connector's
// engine, with the end of the latest window as its clock; it saves nothing.
type Replay struct {
	engine *engine.Engine
	set    *ruleSet
	now    int64 // unix ms
	emit   func(ReplayedAlert)
	counts []RuleCounts
	rules  map[string]int // name -> counts
}

// ReplayedAlert is an alert that would have been emitted.
type ReplayedAlert struct {
	Rule, Severity, Status string
	Start, End             int64 // of the window, unix ms
	Series                 map[string]string
	Value                  *float64 // nil when there is no data
	Threshold, Baseline    *float64
	Reason, Context, ID    string
}

// RuleCounts counts the windows of a rule, once for each severity, by the reason of the
// decision.
type RuleCounts struct {
	Rule    string
	Reasons map[string]int
}

// NewReplay returns a replay of a valid configuration. It calls emit for each alert.
func NewReplay(config *Config, emit func(ReplayedAlert)) (*Replay, error) {
	effective, _, err := config.effective()
	if err != nil {
		return nil, err
	}
	set, err := newRuleSet(effective, zap.NewNop())
	if err != nil {
		return nil, err
	}
	for _, file := range set.files {
		events, err := file.read(time.Now())
		if err != nil { // without it, the replay would emit what is excluded
			return nil, err
		}
		if events != nil {
			file.set(events)
		}
	}
	r := &Replay{engine: engine.New(set.rules), set: set, emit: emit, rules: map[string]int{}}
	for i, of := range set.rules {
		r.rules[of.Name] = i
		r.counts = append(r.counts, RuleCounts{Rule: of.Name, Reasons: map[string]int{}})
	}
	return r, nil
}

// Capabilities reports that metrics are only read.
func (*Replay) Capabilities() consumer.Capabilities { return consumer.Capabilities{MutatesData: false} }

// ConsumeMetrics evaluates recorded metrics, which are in the order of time.
func (r *Replay) ConsumeMetrics(_ context.Context, metrics pmetric.Metrics) error {
	windows := read(metrics, r.set.wanted)
	for i := range windows {
		r.now = max(r.now, windows[i].End)
	}
	if len(windows) > 0 {
		r.record(r.engine.Tick(r.now))
		r.record(r.engine.Observe(windows, r.now))
	}
	return nil
}

func (r *Replay) record(out engine.Outcome) {
	for i := range out.Evaluations {
		e := &out.Evaluations[i]
		r.counts[r.rules[e.Rule]].Reasons[string(e.Reason.Cause)]++
	}
	for i := range out.Alerts {
		a := &out.Alerts[i]
		r.emit(r.describe(a))
		if a.Value == nil {
			r.counts[r.rules[a.Rule]].Reasons[string(a.Reason.Cause)]++
		}
	}
}

func (r *Replay) describe(a *engine.Alert) ReplayedAlert {
	p := r.set.templates[a.Rule]
	templateData := templateDataOf(a, p.metric)
	context, err := render(p.context, templateData)
	if err != nil {
		context += " (" + err.Error() + ")"
	}
	return ReplayedAlert{
		Rule: a.Rule, Severity: a.Severity, Status: status(a), Start: a.Start, End: a.End, Series: templateData.Labels,
		Value: a.Value, Threshold: a.Threshold, Baseline: a.Baseline,
		Reason: a.Reason.String(), Context: context, ID: a.ID,
	}
}

// Counts returns the decisions of each rule.
func (r *Replay) Counts() []RuleCounts { return r.counts }

// Skipped returns the number of samples that were not evaluated, by reason.
func (r *Replay) Skipped() map[string]int64 {
	skipped := map[string]int64{}
	for reason, n := range r.engine.Stats().Skipped {
		skipped[string(reason)] = n
	}
	return skipped
}
