// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import "github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/rule"

// Look lets the wall clock act: series that fell silent alert, or are given up.
func (e *Engine) Look(now int64) Outcome {
	var out Outcome
	for i, r := range e.rules {
		for key, s := range e.series[i] {
			switch silent := now - s.arrived; {
			case silent >= r.forgetAfter():
				s.giveUp(&out, rule.Expired)
				e.forget(i, key, s)
			case silent >= r.Expire:
				s.giveUp(&out, rule.Expired)
			default:
				s.look(now, &out)
			}
		}
	}
	return out
}

// Resume begins to expect windows from now on: that none came while we were away,
// or while the clock was another, says nothing about their sender.
func (e *Engine) Resume(now int64) {
	for _, of := range e.series {
		for _, s := range of {
			s.arrived = now
		}
	}
}

// forgetAfter is when nothing of a silent series is worth keeping.
func (r *Rule) forgetAfter() int64 {
	if r.Baseline == nil {
		return r.Expire
	}
	return max(r.Expire, r.Baseline.Lookback.Milliseconds())
}

func (e *Engine) forget(position int, key string, s *Series) {
	delete(e.series[position], key)
	e.gone = append(e.gone, gone{number: s.Number, saved: s.saved})
}

func (s *Series) look(now int64, out *Outcome) {
	for i := range s.levels {
		l, state := &s.rule.Levels[i], &s.levels[i]
		if l.NoData == 0 {
			continue
		}
		var happens rule.Transition
		var why rule.Reason
		state.silence, happens, why = rule.DecideSilence(l, state.silence, rule.Quiet{
			Now: now, Arrived: s.arrived, LastEnd: s.end, Step: s.step(), Muted: s.rule.Mute.Covers(now, now),
		})
		if happens != rule.Nothing {
			s.changed = true
			out.Alerts = append(out.Alerts, s.silenceAlert(i, happens, why, s.end+now-s.arrived))
		}
	}
}

// heard ends a silence, since a window came.
func (e *Engine) heard(s *Series, w *Window, out *Outcome) {
	for i := range s.levels {
		if s.levels[i].silence.Firing {
			alert := s.silenceAlert(i, rule.Resolves, rule.Reason{Cause: rule.Heard}, w.End)
			alert.Snapshot = w.Values
			out.Alerts = append(out.Alerts, alert)
			s.levels[i].silence = rule.Silence{}
		}
	}
}

// silenceAlert is about the time since the latest window.
func (s *Series) silenceAlert(i int, happens rule.Transition, why rule.Reason, end int64) Alert {
	severity := s.rule.Levels[i].Severity
	return Alert{
		ID:   episode(s.rule.Name, severity, s.attributes, "no_data", s.levels[i].silence.Since),
		Rule: s.rule.Name, Severity: severity, Resolved: happens == rule.Resolves, Attributes: s.attributes,
		Start: s.levels[i].silence.Since, End: end, Reason: why,
	}
}

// giveUp resolves all that fires, as when the series is gone for good.
func (s *Series) giveUp(out *Outcome, cause rule.Cause) {
	for i := range s.levels {
		state, why := &s.levels[i], rule.Reason{Cause: cause}
		if state.state.Firing {
			out.Alerts = append(out.Alerts, s.lastWords(i, why))
			state.state = rule.State{}
			s.changed = true
		}
		if state.silence.Firing {
			out.Alerts = append(out.Alerts, s.silenceAlert(i, rule.Resolves, why, s.end))
			state.silence = rule.Silence{}
			s.changed = true
		}
	}
}

// lastWords resolve a firing alert by what was known of it last.
func (s *Series) lastWords(i int, why rule.Reason) Alert {
	state := s.levels[i]
	severity := s.rule.Levels[i].Severity
	return Alert{
		ID:   episode(s.rule.Name, severity, s.attributes, "threshold", state.state.Since),
		Rule: s.rule.Name, Severity: severity, Resolved: true, Attributes: s.attributes,
		Start: state.state.Since, End: s.end, Value: &state.value, Threshold: &state.threshold,
		Baseline: state.baseline, Reason: why,
	}
}
