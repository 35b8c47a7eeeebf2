// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"

	"github.com/otelcol-ccaas/otelcol-ccaas/dashboards/promql"
)

// sessions shows how long sessions last, how soon customers are answered, how sessions end, and who
// comes back. It needs ws_window's sessions.
func sessions(a asked, variables map[string]string) *dashboard.DashboardBuilder {
	return withBy(withDimensions(shell(sessionsUID, "Contact centre: sessions",
		"Duration, first reply and outcome of the sessions on the contact centre's WebSockets. Needs sessions of the processor ws_window.", variables))).
		WithPanel(ofSessions(a.panel("session_duration"))).
		WithPanel(ofSessions(a.panel("first_reply"))).
		WithPanel(ofSessions(a.panel("ended_sessions"))).
		WithPanel(ofSessions(a.panel("reconnects")).OverrideByQuery("B", dashed(critical)).
			DataLinks(eventsLink("Dropped connections", dropped))).
		WithPanel(records("Session records", "The records of the sessions that were dropped, if they are sent to Loki: each has its trace ID.",
			rawEvents(selectedSeries, droppedSessions)))
}

// droppedSessions leaves only the records of dropped sessions.
const droppedSessions = "|= `\"outcome\":\"dropped\"`"

// ofSessions is a panel of lines from zero, with exemplars, which lead to the traces of sessions.
func ofSessions(p promql.Panel) *timeseries.PanelBuilder {
	return lines(p).Targets(targets(p.Queries, func(target *prometheus.DataqueryBuilder) { target.Exemplar(true) })).
		Min(0).NoValue("no session has ended, or ws_window records none")
}
