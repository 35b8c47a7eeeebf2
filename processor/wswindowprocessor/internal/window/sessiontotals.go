// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"cmp"
	"slices"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// The outcomes of sessions that have ended, in the order in which they are saved.
const outcomes = 3

var outcomeNames = [outcomes]string{wsevent.OutcomeClosed, wsevent.OutcomeDropped, wsevent.OutcomeExpired}

// sessionTotals are those of one outcome, since the series' totals began. They are kept
// with the window state and reported with each window, so that they are exact after a
// restart or a failover without a state of whoever makes metrics of them.
type sessionTotals struct {
	duration, firstReply wsevent.Histogram
}

// sampledExemplar is a sampled session, and when it ended, unix ms.
type sampledExemplar = wsevent.Exemplar

// count adds a session that has ended to the totals.
func (s *sessions) count(of *wsevent.Session) {
	totals := &s.totals[slices.Index(outcomeNames[:], of.Outcome)]
	record(&totals.duration, int64(of.End-of.Start))
	if of.FirstReplyKnown {
		record(&totals.firstReply, of.FirstReply.Milliseconds())
	}
}

// addExemplar adds a sampled session to the exemplars of its outcome, of which there are
// at most most: those with the greatest randomness.
func (s *sessions) addExemplar(of *wsevent.Session, most int) {
	one := wsevent.Exemplar{
		SpanContext: of.SpanContext, Time: of.End, Outcome: of.Outcome,
		Duration:   time.Duration(of.End-of.Start) * time.Millisecond,
		FirstReply: of.FirstReply, Replied: of.FirstReplyKnown,
	}
	at, _ := slices.BinarySearchFunc(s.exemplars, one, func(a, b wsevent.Exemplar) int {
		return cmp.Or(cmp.Compare(a.Outcome, b.Outcome), cmp.Compare(randomness(b.TraceID), randomness(a.TraceID)))
	})
	s.exemplars = slices.Insert(s.exemplars, at, one)
	first := slices.IndexFunc(s.exemplars, func(e wsevent.Exemplar) bool { return e.Outcome == one.Outcome })
	if last := first + most; last < len(s.exemplars) && s.exemplars[last].Outcome == one.Outcome {
		s.exemplars = slices.Delete(s.exemplars, last, last+1)
	}
}

// decide makes the candidates of window k exemplars, and returns the sampled dropped
// sessions that the window holds.
func (e *Engine) decide(s *series, k int64) (dropped []wsevent.Exemplar) {
	of := s.sessions
	start, next := e.grid.start(k), e.grid.start(k+1)
	for _, earlier := range of.overlap {
		if int64(earlier.Time) >= start {
			dropped = append(dropped, earlier)
		}
	}
	of.overlap = of.overlap[:0]
	of.left = e.config.Sessions.ExemplarsPerWindow
	for _, winner := range s.at(k).drops {
		of.left--
		winner.details.sampled = true
		e.changed(s, winner.id)
		one := wsevent.Exemplar{
			SpanContext: winner.trace, Time: wsevent.UnixMilli(winner.details.end), Outcome: wsevent.OutcomeDropped,
			Duration: time.Duration(winner.details.end-winner.start) * time.Millisecond,
		}
		if winner.first >= 0 {
			one.FirstReply, one.Replied = time.Duration(winner.first)*time.Millisecond, true
		}
		dropped = append(dropped, one)
	}
	for _, one := range dropped {
		if int64(one.Time) >= next {
			of.overlap = append(of.overlap, one)
		}
	}
	return dropped[:min(len(dropped), e.config.Sessions.ExemplarsPerWindow)]
}

// endSessions ends the sessions of window k, before the window is reported.
func (e *Engine) endSessions(s *series, k int64) (dropped []wsevent.Exemplar) {
	if s.sessions == nil {
		return nil
	}
	dropped = e.decide(s, k)
	e.endDetached(s, k)
	return dropped
}

// addSessions adds what is known of sessions to a window.
func (s *series) addSessions(w *wsevent.Window, dropped []wsevent.Exemplar) {
	w.SessionsKnown = true
	if s.sessions == nil {
		return
	}
	if w.SessionsSince = wsevent.UnixMilli(s.sessions.since); w.SessionsSince == 0 {
		w.SessionsSince = w.Since
	}
	w.Dropped, w.Exemplars = dropped, s.sessions.exemplars
	s.sessions.exemplars = nil
	for i := range s.sessions.totals {
		if totals := &s.sessions.totals[i]; totals.duration.Count > 0 {
			w.Sessions = append(w.Sessions, wsevent.SessionTotals{
				Outcome: outcomeNames[i], Duration: share(totals.duration), FirstReply: share(totals.firstReply),
			})
		}
	}
}
