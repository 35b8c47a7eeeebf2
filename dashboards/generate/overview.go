// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// overview shows how much goes on, how much is lost, and whether that is true.
func overview(a, health asked, variables map[string]string) *dashboard.DashboardBuilder {
	built := withBy(withDimensions(shell(overviewUID, "Contact centre: overview",
		"Connections, messages and bytes of the contact centre's WebSockets, as the windows count them.", variables)))
	for n, q := range a.panel("alert_marks").Queries {
		built.Annotation(mark(q, []string{critical, "purple", "yellow", "semi-dark-red"}[n]))
	}
	return built.
		Annotation(mark(a.panel("incomplete_windows").Queries[0], warning)).
		WithPanel(lines(a.panel("active_connections")).
			OverrideByQuery("B", dashed(critical)).OverrideByQuery("C", dashed(neutral)).
			DataLinks(eventsLink("Raw events", ""))).
		WithPanel(bars(a.panel("messages_per_second")).DataLinks(eventsLink("Raw events", ""))).
		WithPanel(dials(a.panel("payload_throughput"))).
		WithPanel(lines(a.panel("drop_rate")).
			OverrideByQuery("B", dashed(critical)).Min(0).AxisSoftMax(1).NoValue(noValue).
			Thresholds(steps(calm, from(0.5, critical))).
			ThresholdsStyle(dashedThresholds()).
			DataLinks(eventsLink("Dropped connections", dropped))).
		WithPanel(firingNow(a.panel("firing_now")).Links([]cog.Builder[dashboard.DashboardLink]{
			link("Alerts", "/d/"+alertsUID).KeepTime(true).IncludeVars(true),
		})).
		WithPanel(streamBands(health.panel("can_the_stream_be_trusted")).Links([]cog.Builder[dashboard.DashboardLink]{
			link("Stream health", "/d/"+streamHealthUID).KeepTime(true).IncludeVars(true),
		})).
		WithPanel(records("Dropped connections",
			"The raw events of connections that closed abnormally: code and reason, channel and user.",
			rawEvents(selectedSeries, dropped)))
}

// dropped leaves only abnormal closes.
const dropped = `| ccaas_close_abnormal = "true"`
