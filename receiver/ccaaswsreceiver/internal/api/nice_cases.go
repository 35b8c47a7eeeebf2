// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/eventhub"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/history"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonvalue"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

const (
	casesPath       = "/dfo/3.0/contacts"
	casesPermission = "Digital Engagement > Analytics > View"
)

// niceCases asks a tenant's API for the cases that are open.
type niceCases struct{ hub *eventhub.Hub }

// present asks for one page after the other. A case may move to another page meanwhile: it
// is in the number of hits, and asked for again.
func (n *niceCases) present(ctx context.Context, ask Ask, apply Apply) (unlisted int64, failure *wsclient.Failure) {
	root := n.hub.API()
	if root == nil {
		return 0, wsclient.NewFailure(wsclient.Unavailable, false, errors.New("the address of the tenant's API is not known yet"))
	}
	list := history.List{Path: "data", Channel: "id", ChannelType: "channelId", Start: "createdAt"}
	query := url.Values{"status[]": {"new", "open", "pending", "escalated"}, "sorting": {"createdAt"}, "sortingType": {"asc"}}
	cases := map[string]bool{}
	var hits int64
	for range maxHistoryPages {
		call := &wsclient.Call{What: "open cases", Method: http.MethodGet, URL: root.JoinPath(casesPath), Permission: casesPermission}
		call.URL.RawQuery = query.Encode()
		body, failure := ask(ctx, call)
		if failure != nil {
			return 0, failure
		}
		found, err := list.Decode(body)
		if err != nil {
			return 0, call.BadAnswerTo("%w", err)
		}
		value, _ := jsonvalue.At(body, "hits")
		if hits, err = strconv.ParseInt(jsonvalue.Text(value), 10, 64); err != nil {
			return 0, call.BadAnswerTo("the answer has no number of hits")
		}
		before := len(cases)
		for i := range found.Sessions {
			cases[found.Sessions[i].Channel] = true
		}
		applySessions(found.Sessions, apply)
		value, _ = jsonvalue.At(body, "scrollToken")
		next := jsonvalue.Text(value)
		if next == "" || len(cases) == before || int64(len(cases)) >= hits {
			break
		}
		query.Set("scrollToken", next)
	}
	return max(0, hits-int64(len(cases))), nil
}
