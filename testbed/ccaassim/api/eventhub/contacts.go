// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package eventhub

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/fault"
	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/truth"
)

const (
	contactsPage      = 25
	contactsPermitted = "Digital Engagement > Analytics > View"
)

// contacts is GET /dfo/3.0/contacts: the open cases in pages, the oldest first.
func (a *endpoints) contacts(w http.ResponseWriter, r *http.Request) {
	a.Recorder.Requests(func(t *truth.RequestTruth) { t.Analytics++ })
	if a.Fail(w, func(t *fault.Trouble) *fault.Failure { return &t.AnalyticsFail }) {
		return
	}
	if _, ok := a.Authorized(w, r); !ok {
		return
	}
	trouble := a.Trouble.Now()
	if slices.Contains(trouble.MissingPermissions, contactsPermitted) {
		api.Error(w, http.StatusForbidden, "missing permission")
		return
	}
	data := []any{}
	query := r.URL.Query()
	if !slices.Contains(query["status[]"], "open") { // which all are
		api.WriteJSON(w, http.StatusOK, map[string]any{"hits": 0, "scrollToken": "", "data": data})
		return
	}
	all := a.History.Open(time.Now())
	first, err := strconv.Atoi(query.Get("scrollToken"))
	if err != nil && query.Get("scrollToken") != "" || first < 0 {
		api.Error(w, http.StatusBadRequest, "unknown scrollToken")
		return
	}
	listed := len(all)
	if trouble.AnalyticsTruncate > 0 {
		listed = min(listed, trouble.AnalyticsTruncate)
	}
	last := min(first+contactsPage, listed)
	for n := first; n < last; n++ {
		data = append(data, map[string]any{
			"id": string(api.AppendUUID(nil, all[n].Channel)), "status": "open", "channelId": a.Series[all[n].Series].ChannelType,
			"createdAt": string(api.AppendISO(nil, all[n].Start)),
		})
	}
	next := ""
	if last < listed {
		next = strconv.Itoa(last)
	}
	api.WriteJSON(w, http.StatusOK, map[string]any{"hits": len(all), "scrollToken": next, "data": data})
}
