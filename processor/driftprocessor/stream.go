// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package driftprocessor

import (
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-ccaas/otelcol-ccaas/processor/driftprocessor/internal/skew"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// streamIdle is how long a stream without events is kept.
const streamIdle = 5 * time.Minute

// streamKey identifies a stream.
type streamKey struct{ tenant, region string }

// stream is one platform's clock.
type stream struct {
	key      streamKey
	platform string

	estimator *skew.Estimator
	busy      bool          // since the last update
	seen      time.Duration // when it was last busy

	// The result of the last update.
	known      bool
	estimate   skew.Estimate // the last one that was known
	drift      skew.Episode
	misaligned skew.Episode
	reported   bool // downstream has accepted that it drifts

	// What follows for its events.
	correction time.Duration // taken from their time
	flag       bool
}

// update updates the estimate and what follows from it, once a second.
func (s *stream) update(now time.Duration, correct bool) {
	if s.busy {
		s.seen, s.busy = now, false
	}
	s.estimator.Tick(now)
	estimate, known := s.estimator.Estimate(now)
	if s.known = known; known {
		s.estimate = estimate
		s.drift.Judge(estimate.Offset)
		s.misaligned.Judge(estimate.Offset)
	} else {
		s.drift.On, s.misaligned.On = false, false
	}
	s.flag, s.correction = s.misaligned.On, 0
	if correct && s.drift.On {
		s.correction = estimate.Offset
	}
}

// phase is the phase of a drift to report, if any; due is set every interval. It stays the
// same until it is reported.
func (s *stream) phase(due bool) string {
	switch {
	case s.drift.On && !s.reported:
		return wsevent.PhaseOnset
	case !s.drift.On && s.reported:
		return wsevent.PhaseEnd
	case s.drift.On && due:
		return wsevent.PhaseLasting
	default:
		return ""
	}
}

// streams are those that are measured, at most as many as the configuration says.
type streams struct {
	config *Config
	byKey  map[streamKey]*stream
	all    []*stream // in order of appearance
}

func newStreams(config *Config) streams {
	return streams{config: config, byKey: map[streamKey]*stream{}}
}

// of returns the stream of a resource; nil beyond max_streams.
func (s *streams) of(resource pcommon.Map, now time.Duration) *stream {
	tags := wslog.TagsOf(resource)
	key := streamKey{tags.TenantID, tags.Region}
	if found := s.byKey[key]; found != nil || len(s.all) >= s.config.MaxStreams {
		return found
	}
	key = streamKey{strings.Clone(key.tenant), strings.Clone(key.region)} // not the batch they are part of
	added := &stream{
		key:        key,
		estimator:  skew.NewEstimator(),
		seen:       now,
		drift:      skew.Episode{Limit: s.config.Tolerance},
		misaligned: skew.Episode{Limit: s.config.Misaligned},
	}
	if platform, ok := resource.Get(wsevent.Platform); ok {
		added.platform = strings.Clone(platform.AsString())
	}
	s.byKey[key] = added
	s.all = append(s.all, added)
	return added
}

// dropIdle drops the streams without events, once the end of their drift is reported.
func (s *streams) dropIdle(now time.Duration) {
	kept := s.all[:0]
	for _, one := range s.all {
		if now-one.seen < streamIdle || one.reported {
			kept = append(kept, one)
		} else {
			delete(s.byKey, one.key)
		}
	}
	clear(s.all[len(kept):])
	s.all = kept
}
