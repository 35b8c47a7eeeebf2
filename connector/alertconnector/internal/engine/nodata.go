// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import "github.com/otelcol-ccaas/otelcol-ccaas/connector/alertconnector/internal/rule"

// Tick evaluates the wall clock: series without data alert, or expire.
func (e *Engine) Tick(now int64) Outcome {
	var out Outcome
	for i, r := range e.rules {
		for key, s := range e.series[i] {
			switch silent := now - s.arrived; {
			case silent >= r.forgetAfter():
				s.expire(&out, rule.Expired)
				e.forget(i, key, s)
			case silent >= r.Expire:
				s.expire(&out, rule.Expired)
			default:
				s.look(now, &out)
			}
		}
	}
	e.setDomains(out.Alerts)
	return out
}

// Resume expects windows from now on: that none arrived while the process was down, or
// while the clock was wrong, says nothing about their sender.
func (e *Engine) Resume(now int64) {
	for _, of := range e.series {
		for _, s := range of {
			s.arrived = now
		}
	}
}

// forgetAfter returns the time without data after which a series is dropped, ms.
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
		state.noData, happens, why = rule.DecideNoData(l, state.noData, rule.NoDataInput{
			Now: now, Arrived: s.arrived, LastEnd: s.end, Expired: s.expired, Step: s.step(), Muted: s.rule.Mute.Covers(now, now),
		})
		if happens != rule.Nothing {
			s.changed = true
			alert := s.noDataAlert(i, happens, why, s.end)
			alert.series, alert.domain = s, &s.levels[i].noDataIn
			out.Alerts = append(out.Alerts, alert)
		}
	}
}

// resolveNoData resolves no-data alerts, since a window has arrived.
func (e *Engine) resolveNoData(s *Series, w *Window, out *Outcome) {
	for i := range s.levels {
		if s.levels[i].noData.Firing {
			alert := s.noDataAlert(i, rule.Resolves, rule.Reason{Cause: rule.DataAgain}, w.End)
			alert.Snapshot = w.Values
			out.Alerts = append(out.Alerts, alert)
			s.levels[i].noData = rule.NoData{}
		}
	}
}

// noDataAlert returns an alert about the time since the latest window. The end of an episode
// is never before that of an alert of it.
func (s *Series) noDataAlert(i int, happens rule.Transition, why rule.Reason, end int64) Alert {
	severity := s.rule.Levels[i].Severity
	return Alert{
		ID:   episode(s.rule.Name, severity, s.attributes, "no_data", s.levels[i].noData.Since, s.generation),
		Rule: s.rule.Name, Severity: severity, Resolved: happens == rule.Resolves, Attributes: s.attributes,
		Start: s.levels[i].noData.Since, End: max(end, s.levels[i].noData.End), Reason: why, FaultDomain: s.levels[i].noDataIn,
	}
}

// expire resolves all alerts of a series, as when it is removed.
func (s *Series) expire(out *Outcome, cause rule.Cause) {
	for i := range s.levels {
		state, why := &s.levels[i], rule.Reason{Cause: cause}
		if state.state.Firing {
			out.Alerts = append(out.Alerts, s.expiredAlert(i, why))
			state.state = rule.State{}
			s.changed = true
		}
		if state.noData.Firing {
			alert := s.noDataAlert(i, rule.Resolves, why, s.end)
			out.Alerts = append(out.Alerts, alert)
			s.expired = max(s.expired, alert.End, s.end+1)
			state.noData = rule.NoData{}
			s.changed = true
		}
	}
}

// expiredAlert resolves a firing alert with its latest values.
func (s *Series) expiredAlert(i int, why rule.Reason) Alert {
	state := s.levels[i]
	severity := s.rule.Levels[i].Severity
	return Alert{
		ID:   episode(s.rule.Name, severity, s.attributes, "threshold", state.state.Since, s.generation),
		Rule: s.rule.Name, Severity: severity, Resolved: true, Attributes: s.attributes,
		Start: state.state.Since, End: s.end, Value: &state.value, Threshold: &state.threshold,
		Baseline: state.baseline, Reason: why, FaultDomain: state.domain,
	}
}
