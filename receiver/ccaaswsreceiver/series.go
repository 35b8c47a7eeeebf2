// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"strings"

	"github.com/cespare/xxhash/v2"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
)

// Bounds of the table of series; beyond either it is cleared before the next batch. A
// series takes seriesBytes besides its names.
const (
	maxSeries      = 4096
	maxSeriesBytes = 5 << 19
	seriesBytes    = 512
)

// series is a set of dimensions, and its records in the present batch.
type series struct {
	tenant, region, channelType string
	salt                        uint64 // the tenant's part of the hash of its events

	resource  plog.ResourceLogs // of the present batch, where size > 0
	number    int               // index of the resource in the batch
	size      int               // records in this batch
	hasEvents bool
	scopes    [2 * int(allDefaulted+1) * clocks]*scope // by the dimensions that the events do not have, the clock of their times, and inBlocks
	open      []*scope                                 // those of the present batch
}

// defaulted is the set of dimensions that an event does not have.
type defaulted uint8

const (
	tenantDefaulted defaulted = 1 << iota
	regionDefaulted
	channelTypeDefaulted

	noneDefaulted defaulted = 0
	allDefaulted            = tenantDefaulted | regionDefaulted | channelTypeDefaulted
)

// clocks is the number of clocks.
const clocks = int(jsonevent.ReceiverClock) + 1

// scope has the records of one series whose events have the same dimensions, and whose
// times are by the same clock.
type scope struct {
	series   *series
	unnamed  defaulted
	clock    jsonevent.Clock
	inBlocks bool // blocks have the events of its records
	number   int  // index of the scope in the resource
	records  plog.LogRecordSlice
	size     int    // records in this batch
	likely   int    // records in the last one
	block    *block // that the next event is added to; nil: a new one
	events   int    // in blocks of this batch
}

// scope returns the scope of a set of dimensions and a clock.
func (s *series) scope(not defaulted, clock jsonevent.Clock, inBlocks bool) *scope {
	index := int(not)*clocks + int(clock)
	if inBlocks {
		index += len(s.scopes) / 2
	}
	at := &s.scopes[index]
	if *at == nil {
		*at = &scope{series: s, unnamed: not, clock: clock, inBlocks: inBlocks}
	}
	return *at
}

// close ends the batch.
func (s *series) close() {
	for _, one := range s.open {
		one.records, one.likely, one.size = plog.LogRecordSlice{}, one.size, 0
		one.block, one.events = nil, 0
	}
	s.open = s.open[:0]
	s.resource, s.size, s.hasEvents = plog.ResourceLogs{}, 0, false
}

// seriesTable interns sets of dimensions: a lookup of a known one allocates nothing.
type seriesTable struct {
	valid  func(tenant, region, channelType []byte) bool // is called for unknown dimensions
	all    map[string]*series
	bytes  int
	open   []*series // those of the present batch
	recent [1024]*series
	key    []byte
}

// begin closes the series of the batch before.
func (t *seriesTable) begin() {
	for _, s := range t.open {
		s.close()
	}
	clear(t.open)
	t.open = t.open[:0]
	if t.all == nil || len(t.all) > maxSeries || t.bytes > maxSeriesBytes {
		*t = seriesTable{valid: t.valid, all: map[string]*series{}}
	}
}

// find looks up a small direct-mapped cache first: a quarter of the cost of the map. It
// returns nil for invalid dimensions.
func (t *seriesTable) find(tenant, region, channelType []byte) *series {
	place := t.place(tenant, region, channelType)
	s := *place
	if s == nil || s.tenant != string(tenant) || s.region != string(region) || s.channelType != string(channelType) {
		if s = t.lookup(tenant, region, channelType); s == nil {
			return nil
		}
		*place = s
	}
	if s.size == 0 {
		t.open = append(t.open, s)
	}
	return s
}

// place returns the place of three names in the cache.
func (t *seriesTable) place(tenant, region, channelType []byte) **series {
	const bits = 10 // of len(t.recent)
	hash := ((digest(tenant)*mixer^digest(region))*mixer ^ digest(channelType)) * mixer
	return &t.recent[hash>>(64-bits)]
}

// digest distinguishes most names that are in use together by four of their bytes: us-east-1,
// us-east-2, us-west-1 and eu-west-1; tenant_01, tenant_02 and tenant_11.
func digest(name []byte) uint64 {
	n := len(name)
	return uint64(name[0])<<24 | uint64(name[n/2])<<16 | uint64(name[max(n, 2)-2])<<8 | uint64(name[n-1])
}

// separator is between dimensions in a key. It is in no UTF-8 text.
const separator = "\xff"

func (t *seriesTable) lookup(tenant, region, channelType []byte) *series {
	t.key = append(t.key[:0], tenant...)
	t.key = append(append(t.key, separator...), region...)
	t.key = append(append(t.key, separator...), channelType...)
	if s, known := t.all[string(t.key)]; known {
		return s
	}
	if !t.valid(tenant, region, channelType) {
		return nil
	}
	return t.intern(t.key)
}

func (t *seriesTable) intern(key []byte) *series {
	name := string(key)
	tenant, rest, _ := strings.Cut(name, separator)
	region, channelType, _ := strings.Cut(rest, separator)
	s := &series{tenant: tenant, region: region, channelType: channelType, salt: xxhash.Sum64String(tenant)}
	t.all[name] = s
	t.bytes += len(name) + seriesBytes
	return s
}
