// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonvalue"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/reconcile"
)

// List is where in an answer the channels are that are open. Its values are paths.
type List struct {
	Path  string // of the list; empty: the answer is the list
	Total string // of how many are open; empty: the answer has no such number

	// Of a channel, in the list. Only Channel is required.
	Channel, ChannelType, User, Tenant, Region, Start string
}

// Listed are the open channels of an answer.
type Listed struct {
	Sessions []reconcile.Session
	// Unlisted is how many more are open, as far as the answer says: those that Total has
	// beyond the list, and those whose entries have no channel.
	Unlisted int64
}

// Decode decodes an answer. Its error names the path that does not match.
func (l *List) Decode(body []byte) (found Listed, err error) {
	if !json.Valid(body) {
		return found, errors.New("the answer is not JSON")
	}
	value, ok := jsonvalue.At(body, l.Path)
	var entries []json.RawMessage
	// null at the path is a list without entries; an answer that is null has none.
	if !ok || json.Unmarshal(value, &entries) != nil || entries == nil && l.Path == "" {
		return found, fmt.Errorf("the answer has no list at path %q", l.Path)
	}
	listed := make(map[string]bool, len(entries))
	for _, entry := range entries {
		one := l.session(entry)
		switch {
		case one.Channel == "":
			found.Unlisted++
		case !listed[one.Channel]:
			listed[one.Channel] = true
			found.Sessions = append(found.Sessions, one)
		}
	}
	if len(entries) > 0 && len(found.Sessions) == 0 {
		return found, fmt.Errorf("none of the %d entries of the list has a channel at fields::channel_id %q", len(entries), l.Channel)
	}
	if l.Total == "" {
		return found, nil
	}
	value, _ = jsonvalue.At(body, l.Total)
	total, err := strconv.ParseFloat(jsonvalue.Text(value), 64)
	if err != nil || !(total >= 0) { // NaN is none, either
		return found, fmt.Errorf("the answer has no number at total %q", l.Total)
	}
	found.Unlisted = max(found.Unlisted, int64(min(total, maxCount))-int64(len(found.Sessions)))
	return found, nil
}

func (l *List) session(entry json.RawMessage) reconcile.Session {
	text := func(path string) string {
		if path == "" {
			return ""
		}
		value, _ := jsonvalue.At(entry, path)
		return jsonvalue.Text(value)
	}
	one := reconcile.Session{
		Channel: text(l.Channel), ChannelType: text(l.ChannelType), User: text(l.User), Tenant: text(l.Tenant), Region: text(l.Region),
	}
	if at, err := jsonevent.ParseTimestamp([]byte(text(l.Start))); err == nil {
		one.Start = at
	}
	return one
}
