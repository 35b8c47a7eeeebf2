// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package history

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/hubevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonvalue"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/reconcile"
)

// OpenCases is the query for the cases of NICE CXone that are open, in the order of their
// creation. The platform has 25 of them in a page, and no parameter for another size.
func OpenCases(latestFirst bool) url.Values {
	order := "asc"
	if latestFirst {
		order = "desc"
	}
	return url.Values{"status[]": {"new", "open", "pending", "escalated"}, "sorting": {"createdAt"}, "sortingType": {order}}
}

// ClosedCases is the query for the cases that have ended, the one with the latest change
// first.
func ClosedCases() url.Values {
	return url.Values{"status[]": {"resolved", "closed", "trashed"}, "sorting": {"updatedAt"}, "sortingType": {"desc"}}
}

// Case is one of NICE CXone.
type Case struct {
	reconcile.Session
	Changed int64 // unix ns: the latest change that is known of
}

// Cases are a page of an answer.
type Cases struct {
	All  []Case
	Hits int64  // of all pages
	Next string // scrollToken of the next page; empty: this is the last
}

// DecodeCases decodes a page.
func DecodeCases(body []byte) (page Cases, err error) {
	if !json.Valid(body) {
		return page, errors.New("the answer is not JSON")
	}
	var entries []json.RawMessage
	value, ok := jsonvalue.At(body, "data")
	if !ok || json.Unmarshal(value, &entries) != nil {
		return page, errors.New(`the answer has no list at "data"`)
	}
	value, _ = jsonvalue.At(body, "hits")
	if page.Hits, err = strconv.ParseInt(jsonvalue.Text(value), 10, 64); err != nil || page.Hits < 0 {
		return page, errors.New("the answer has no number of hits")
	}
	for _, entry := range entries {
		if one := caseOf(entry); one.Channel != "" {
			page.All = append(page.All, one)
		}
	}
	if len(entries) > 0 && len(page.All) == 0 {
		return page, errors.New("none of the cases in the answer has an id")
	}
	value, _ = jsonvalue.At(body, "scrollToken")
	page.Next = jsonvalue.Text(value)
	return page, nil
}

// DecodeCase decodes the answer about the case of an id.
func DecodeCase(body []byte, id string) (Case, error) {
	one := caseOf(body)
	if one.Channel != id {
		return Case{}, errors.New("the answer is not the case that was asked for")
	}
	return one, nil
}

// caseOf reads a case. One whose status is not known is taken for open: nothing follows
// from it.
func caseOf(entry json.RawMessage) (one Case) {
	text := func(key string) string {
		value, _ := jsonvalue.At(entry, key)
		return jsonvalue.Text(value)
	}
	one.Channel, one.ChannelType = text("id"), text("channelId")
	one.Start = nanoseconds(text("createdAt"))
	status := nanoseconds(text("statusUpdatedAt"))
	one.Changed = max(one.Start, status, nanoseconds(text("updatedAt")))
	if one.Ended = slices.Contains(hubevent.ClosedStatus(), text("status")); one.Ended {
		one.End = status
		if one.End == 0 && one.Changed > one.Start {
			one.End = one.Changed
		}
	}
	return one
}
