// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// maxStreams bounds the streams that are remembered of a connection.
	maxStreams = 2000
	// forgetStream is after how long without an event a stream is forgotten.
	forgetStream = 24 * time.Hour
)

// stream is what a socket may carry several of.
type stream struct{ tenant, region string }

// streams remembers what streams a connection has carried, over its sockets, so
// that each can be told of what happens to the connection.
type streams struct {
	configured stream // what is told while no event was seen

	mutex sync.Mutex
	seen  map[stream]time.Time
}

func newStreams(configured stream) *streams {
	return &streams{configured: configured, seen: map[stream]time.Time{}}
}

// see notes a stream. Past the bound it takes the place of the one not seen for
// the longest time.
func (s *streams) see(one stream, at time.Time) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if _, known := s.seen[one]; !known && len(s.seen) >= maxStreams {
		oldest, first := stream{}, true
		for other, seen := range s.seen {
			if first || seen.Before(s.seen[oldest]) {
				oldest, first = other, false
			}
		}
		delete(s.seen, oldest)
	}
	s.seen[one] = at
}

// carried gives the streams in a steady order.
func (s *streams) carried(now time.Time) []stream {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	maps.DeleteFunc(s.seen, func(_ stream, seen time.Time) bool { return now.Sub(seen) > forgetStream })
	if len(s.seen) == 0 {
		return []stream{s.configured}
	}
	return slices.SortedFunc(maps.Keys(s.seen), func(a, b stream) int {
		return cmp.Or(cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.region, b.region))
	})
}
