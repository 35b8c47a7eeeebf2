// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package eventhub

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/history"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

const (
	contactsPage      = 25
	contactsPermitted = "Digital Engagement > Analytics > View"
)

// contacts is GET /dfo/3.0/contacts: cases in pages of 25, of the states and in the order
// that the query names. The history of what has ended lags behind.
func (a *endpoints) contacts(w http.ResponseWriter, r *http.Request) {
	if !a.mayRead(w, r) {
		return
	}
	query := r.URL.Query()
	var all []history.Session
	if slices.Contains(query["status[]"], "open") { // which all are that have not ended
		all = append(all, a.History.Open(time.Now())...)
	}
	for _, one := range a.History.Ended(a.settled()) {
		if slices.Contains(query["status[]"], ended(one.Ending)) {
			all = append(all, one)
		}
	}
	slices.SortFunc(all, func(x, y history.Session) int {
		order := cmp.Or(cmp.Compare(x.Start, y.Start), cmp.Compare(x.Channel.Low, y.Channel.Low))
		if query.Get("sorting") == "updatedAt" {
			order = cmp.Compare(max(x.Start, x.End), max(y.Start, y.End))
		}
		if query.Get("sortingType") == "desc" {
			return -order
		}
		return order
	})
	first, err := strconv.Atoi(query.Get("scrollToken"))
	if err != nil && query.Get("scrollToken") != "" || first < 0 {
		api.Error(w, http.StatusBadRequest, "unknown scrollToken")
		return
	}
	listed, trouble := len(all), a.Trouble.Now()
	if trouble.AnalyticsTruncate > 0 {
		listed = min(listed, trouble.AnalyticsTruncate)
	}
	if first > 0 { // what has come meanwhile shifts the pages
		first = max(0, first-trouble.AnalyticsShift)
	}
	last := min(first+contactsPage, listed)
	data := []any{}
	for n := first; n < last; n++ {
		data = append(data, a.describe(&all[n]))
	}
	next := ""
	if last < listed {
		next = strconv.Itoa(last)
	}
	api.WriteJSON(w, http.StatusOK, map[string]any{"hits": len(all), "scrollToken": next, "data": data})
}

// contact is GET /dfo/3.0/contacts/{id}.
func (a *endpoints) contact(w http.ResponseWriter, r *http.Request) {
	if !a.mayRead(w, r) {
		return
	}
	for _, one := range slices.Concat(a.History.Open(a.settled()), a.History.Ended(a.settled())) {
		if string(api.AppendUUID(nil, one.Channel)) == r.PathValue("id") {
			api.WriteJSON(w, http.StatusOK, a.describe(&one))
			return
		}
	}
	api.Error(w, http.StatusNotFound, "no such case")
}

// mayRead checks a request for cases: trouble, the token, the permission.
func (a *endpoints) mayRead(w http.ResponseWriter, r *http.Request) bool {
	a.Recorder.Requests(func(t *truth.RequestTruth) { t.Analytics++ })
	if a.Fail(w, func(t *fault.Trouble) *fault.Failure { return &t.AnalyticsFail }) {
		return false
	}
	if _, ok := a.Authorized(w, r); !ok {
		return false
	}
	if slices.Contains(a.Trouble.Now().MissingPermissions, contactsPermitted) {
		api.Error(w, http.StatusForbidden, "missing permission")
		return false
	}
	return true
}

// settled is up to when the history is complete.
func (a *endpoints) settled() time.Time { return time.Now().Add(-a.Trouble.Now().AnalyticsLatency) }

// describe returns a case as the API has it.
func (a *endpoints) describe(s *history.Session) map[string]any {
	status, changed := "open", s.Start
	if s.End != 0 {
		status, changed = ended(s.Ending), s.End
	}
	shift := a.Trouble.Now().Stamp(a.Series[s.Series].Region, 0)
	return map[string]any{
		"id": string(api.AppendUUID(nil, s.Channel)), "status": status, "channelId": a.Series[s.Series].ChannelType,
		"createdAt": string(api.AppendISO(nil, s.Start+shift)), "statusUpdatedAt": string(api.AppendISO(nil, changed+shift)),
	}
}
