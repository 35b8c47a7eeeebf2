// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// maxStreams bounds the streams of a connection.
	maxStreams = 2000
	// maxStreamBytes bounds their names, in bytes.
	maxStreamBytes = 1 << 20
	// streamTTL is how long a stream without events is kept.
	streamTTL = 24 * time.Hour
)

// stream is a tenant and region. A socket may have several.
type stream struct{ tenant, region string }

// streams is the set of streams of a connection, over its sockets. Stream records are
// emitted for each.
type streams struct {
	configured stream // the only one before the first event

	mutex sync.Mutex
	seen  map[stream]time.Time
	bytes int // of the names in seen
}

func newStreams(configured stream) *streams {
	return &streams{configured: configured, seen: map[stream]time.Time{}}
}

// observe adds a stream, or updates its time. Beyond either bound it evicts the least
// recently observed ones.
func (s *streams) observe(one stream, at time.Time) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if _, known := s.seen[one]; !known {
		for len(s.seen) > 0 && (len(s.seen) >= maxStreams || s.bytes+one.bytes() > maxStreamBytes) {
			s.forget(s.oldest())
		}
		// Its names may be parts of a larger string.
		one = stream{tenant: strings.Clone(one.tenant), region: strings.Clone(one.region)}
		s.bytes += one.bytes()
	}
	s.seen[one] = at
}

func (s *streams) oldest() (oldest stream) {
	var since time.Time
	for one, at := range s.seen {
		if since.IsZero() || at.Before(since) {
			oldest, since = one, at
		}
	}
	return oldest
}

func (s *streams) forget(one stream) {
	delete(s.seen, one)
	s.bytes -= one.bytes()
}

func (s stream) bytes() int { return len(s.tenant) + len(s.region) }

// current returns the streams in a fixed order.
func (s *streams) current(now time.Time) []stream {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for one, seen := range s.seen {
		if now.Sub(seen) > streamTTL {
			s.forget(one)
		}
	}
	if len(s.seen) == 0 {
		return []stream{s.configured}
	}
	return slices.SortedFunc(maps.Keys(s.seen), func(a, b stream) int {
		return cmp.Or(cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.region, b.region))
	})
}
