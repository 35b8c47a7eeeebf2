// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package alertconnector

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/engine"
)

// Replay applies the rules of a configuration to recorded metrics, to see what they
// would have told. It is the connector's engine, with the end of the latest window
// as its clock; it saves nothing.
type Replay struct {
	engine  *engine.Engine
	present map[string]*presentation
	wanted  map[string]bool
	now     int64 // unix ms
	told    func(Told)
	counts  []RuleCounts
	rules   map[string]int // name -> counts
}

// Told is an alert that would have been told, or told again.
type Told struct {
	Rule, Severity, Status string
	Start, End             int64 // of the window, unix ms
	Series                 map[string]string
	Value                  *float64 // nil when there is no data
	Threshold, Baseline    *float64
	Reason, Context, ID    string
}

// RuleCounts are the windows of a rule, once for each severity, by the reason for
// what was decided about them.
type RuleCounts struct {
	Rule    string
	Reasons map[string]int
}

// NewReplay makes a replay of a valid configuration. Each alert is given to told.
func NewReplay(config *Config, told func(Told)) (*Replay, error) {
	rules, files, err := config.rules()
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		events, err := file.read(time.Now())
		if err != nil { // without it, the replay would tell of what is excluded
			return nil, err
		}
		if events != nil {
			file.calendar.Set(file.position, events)
		}
	}
	present, err := config.presentations()
	if err != nil {
		return nil, err
	}
	r := &Replay{engine: engine.New(rules), present: present, wanted: map[string]bool{}, told: told, rules: map[string]int{}}
	for i, of := range rules {
		r.wanted[of.Metric] = true
		r.rules[of.Name] = i
		r.counts = append(r.counts, RuleCounts{Rule: of.Name, Reasons: map[string]int{}})
	}
	return r, nil
}

// Capabilities says that metrics are only read.
func (*Replay) Capabilities() consumer.Capabilities { return consumer.Capabilities{MutatesData: false} }

// ConsumeMetrics judges recorded metrics, which come in the order of time.
func (r *Replay) ConsumeMetrics(_ context.Context, metrics pmetric.Metrics) error {
	windows := read(metrics, r.wanted)
	for i := range windows {
		r.now = max(r.now, windows[i].End)
	}
	if len(windows) > 0 {
		r.take(r.engine.Look(r.now))
		r.take(r.engine.Observe(windows, r.now))
	}
	return nil
}

func (r *Replay) take(out engine.Outcome) {
	for i := range out.Evaluations {
		e := &out.Evaluations[i]
		r.counts[r.rules[e.Rule]].Reasons[string(e.Reason.Cause)]++
	}
	for i := range out.Alerts {
		a := &out.Alerts[i]
		r.told(r.describe(a))
		if a.Value == nil {
			r.counts[r.rules[a.Rule]].Reasons[string(a.Reason.Cause)]++
		}
	}
}

func (r *Replay) describe(a *engine.Alert) Told {
	p := r.present[a.Rule]
	facts := factsOf(a, p.metric)
	context, err := render(p.context, facts)
	if err != nil {
		context += " (" + err.Error() + ")"
	}
	return Told{
		Rule: a.Rule, Severity: a.Severity, Status: status(a), Start: a.Start, End: a.End, Series: facts.Labels,
		Value: a.Value, Threshold: a.Threshold, Baseline: a.Baseline,
		Reason: a.Reason.String(), Context: context, ID: a.ID,
	}
}

// Counts are how often each rule decided what.
func (r *Replay) Counts() []RuleCounts { return r.counts }

// Skipped are the samples that were not judged, by reason.
func (r *Replay) Skipped() map[string]int64 {
	skipped := map[string]int64{}
	for reason, n := range r.engine.Stats().Skipped {
		skipped[string(reason)] = n
	}
	return skipped
}
