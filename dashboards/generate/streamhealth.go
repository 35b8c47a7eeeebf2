// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"

	"github.com/otelcol-ccaas/otelcol-ccaas/dashboards/promql"
)

// streamHealth answers: can the figures be believed, and if not, why? Most of it
// is the collector's own telemetry.
func streamHealth(a asked, variables map[string]string) *dashboard.DashboardBuilder {
	built := withDimensions(shell(streamHealthUID, "Contact centre: stream health",
		"Whether the figures can be believed: the sockets, the way of the events through the collector, and the collector itself.", variables)).
		WithVariable(choice("instance", "Collector", `{__name__=~"otelcol_process_uptime(_seconds)?(_total)?"}`))

	built.WithRow(dashboard.NewRowBuilder("Is the stream there?")).WithPanel(streamBands(a.panel("can_the_stream_be_trusted")))
	four(built,
		inside(a.panel("sockets")),
		counts(a.panel("disconnects_by_cause")),
		counts(a.panel("failed_connects_by_cause")),
		counts(a.panel("gaps")))

	four(built,
		counts(a.panel("reconnects_by_cause")),
		counts(a.panel("rotations_by_cause")),
		inside(a.panel("token")),
		inside(a.panel("delivery")))

	built.WithRow(dashboard.NewRowBuilder("Are gaps healed? (initial_state)"))
	four(built,
		counts(a.panel("reconstructed_events")),
		inside(a.panel("unconfirmed_channels")),
		inside(a.panel("unreconciled_conversations")),
		inside(a.panel("stuck_conversations")))

	built.WithRow(dashboard.NewRowBuilder("Does it keep up?"))
	four(built,
		inside(a.panel("watermark_lag")),
		inside(a.panel("backpressure")),
		counts(a.panel("events_that_missed_a_window")),
		inside(a.panel("export_queues")).Max(100))

	built.WithRow(dashboard.NewRowBuilder("Is what comes right?"))
	four(built,
		inside(a.panel("events_and_frames")),
		counts(a.panel("violations_by_reason")).
			DataLinks(eventsLink("Offending frames", violations)),
		lines(a.panel("clock_skew")).
			Thresholds(steps(critical, from(-200, calm), from(200, critical))).ThresholdsStyle(dashedThresholds()),
		inside(a.panel("streams_with_a_wrong_clock")))
	built.WithPanel(records("Violations", "The raw frames that were no events, with the reason.", rawEvents(selectedStreams, violations)))

	built.WithRow(dashboard.NewRowBuilder("Does it arrive?"))
	four(built,
		inside(a.panel("exported")),
		counts(a.panel("failed_exports")),
		counts(a.panel("records_not_delivered")),
		counts(a.panel("windows")))

	built.WithRow(dashboard.NewRowBuilder("Do alerts get out?"))
	four(built,
		counts(a.panel("alerts_emitted")),
		inside(a.panel("alerts_waiting")),
		counts(a.panel("webhook_requests")),
		counts(a.panel("dead_letters")))

	built.WithRow(dashboard.NewRowBuilder("Is the collector well?"))
	four(built,
		inside(a.panel("memory")),
		inside(a.panel("cpu")),
		inside(a.panel("room_for_series_and_channels")).Max(100),
		inside(a.panel("age_of_the_checkpoint")))

	built.WithRow(dashboard.NewRowBuilder("Is its own store well? (dashboard extension)"))
	four(built,
		inside(a.panel("samples_stored")),
		counts(a.panel("samples_rejected")),
		inside(a.panel("room_for_series")).Max(100),
		inside(a.panel("size_on_disk")))
	return built
}

// violations leaves only the frames that were no events.
const violations = `| ccaas_violation_reason != ""`

// four puts four panels side by side.
func four(built *dashboard.DashboardBuilder, panels ...*timeseries.PanelBuilder) {
	for _, panel := range panels {
		built.WithPanel(panel.Span(6))
	}
}

// inside is a panel of the collector's own telemetry, which is scraped more
// seldom than windows come.
func inside(p promql.Panel) *timeseries.PanelBuilder {
	return lines(p).Interval(scrapeEvery).Min(0)
}

// counts is one of what happened in the time before each point.
func counts(p promql.Panel) *timeseries.PanelBuilder {
	p.Description += " Each point counts the minute before it, or the step when that is longer."
	return inside(p).Decimals(0)
}
