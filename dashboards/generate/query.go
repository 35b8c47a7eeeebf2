// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/otelcol-ccaas/otelcol-ccaas/dashboards/promql"
)

// What the dashboards read from the windows' own metrics, once for the time in view:
// no size or step is written down here. Both are in ms, which Grafana and PromQL take
// in fractions of a second, too.
const (
	stepVariable  = "window_step"
	freshVariable = "window_fresh"
)

// windowEvery is how often a series has a window. As the step of a query it gives
// every window a point of its own, and a missing window an empty one. Where streams
// differ it is the longest.
const windowEvery = "${" + stepVariable + "}ms"

// scrapeEvery is how often the collector's own telemetry is scraped, at least.
const scrapeEvery = "15s"

// What the variables at the top of a dashboard let through.
const (
	selectedSeries  = `tenant_id=~"$tenant_id", region=~"$region", channel_type=~"$channel_type"`
	selectedStreams = `tenant_id=~"$tenant_id", region=~"$region"`
	// In a link nothing turns a choice of several into a pattern.
	linkedSeries  = `tenant_id=~"${tenant_id:pipe}", region=~"${region:pipe}", channel_type=~"${channel_type:pipe}"`
	linkedStreams = `tenant_id=~"${tenant_id:pipe}", region=~"${region:pipe}"`
)

// asked are the panels of a dashboard, as dashboards/promql describes them, by name.
type asked map[string]promql.Panel

// grafana expands expressions as Grafana asks them.
func grafana() (*promql.Library, error) {
	return promql.NewLibrary(map[string]string{"series": selectedSeries, "streams": selectedStreams, "range": "$__interval"}, nil)
}

// panel is one of them. A name that is not there is an error of this program.
func (a asked) panel(name string) promql.Panel {
	p, ok := a[name]
	if !ok {
		panic("dashboards/promql: no panel " + name)
	}
	return p
}

// rawEvents is a Loki query for event records of the selected series. The three
// dimensions are index labels there, service_name is always one and keeps the
// query valid when everything is selected.
func rawEvents(selected, filter string) string {
	return strings.TrimSpace(fmt.Sprintf(`{service_name=~".+", %s} %s`, selected, filter))
}

// explore is the address of Grafana's Explore with a Loki query over the time in
// view. Variables stay readable, for Grafana replaces them before anything else.
func explore(query string) string {
	pane := `{"raw":{"datasource":"${loki}","queries":[{"refId":"A","expr":` + strconv.Quote(query) +
		`}],"range":{"from":"${__from}","to":"${__to}"}}}`
	escaped := url.QueryEscape(pane)
	for _, kept := range []string{"$", "{", "}", ":"} {
		escaped = strings.ReplaceAll(escaped, url.QueryEscape(kept), kept)
	}
	return "/explore?schemaVersion=1&panes=" + strings.ReplaceAll(escaped, "+", "%20")
}
