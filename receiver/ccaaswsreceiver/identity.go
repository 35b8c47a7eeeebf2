// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"github.com/cespare/xxhash/v2"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/frame"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/recent"
)

// spread mixes parts of a key; it is a large odd number.
const spread = 0x9e3779b97f4a7c15

// duplicates knows the events of late by their own identity.
type duplicates struct {
	seen *recent.Set
}

// newDuplicates is nil where events are not remembered.
func newDuplicates(set DeduplicationConfig) *duplicates {
	if set.Window == 0 {
		return nil
	}
	return &duplicates{seen: recent.New(set.Window, set.MaxEvents)}
}

// has notes an event, and says whether it came before. An event without an id is
// known by its type, channel and time. Two of one socket may have all of these in
// common and be two; so only what another socket has told makes it a duplicate.
func (d *duplicates) has(e *frame.Event, at pcommon.Timestamp, socket int) bool {
	if d == nil {
		return false
	}
	now := int64(at) //nolint:gosec // until the year 2262
	key := (uint64(e.Type)+1)*spread + xxhash.Sum64(e.TenantID)
	if len(e.ID) > 0 {
		seen, _ := d.seen.Seen(key*spread^xxhash.Sum64(e.ID), now, false)
		return seen
	}
	key = (key+uint64(e.Time))*spread ^ xxhash.Sum64(e.ChannelID) //nolint:gosec // mixed, not counted
	seen, same := d.seen.Seen(key*spread, now, socket&1 == 1)
	return seen && !same
}
