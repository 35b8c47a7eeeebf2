// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
	"github.com/grafana/grafana-foundation-sdk/go/units"
)

// streamHealth answers: can the figures be believed, and if not, why? Most of it
// is the collector's own telemetry.
func streamHealth() *dashboard.DashboardBuilder {
	built := withDimensions(shell(streamHealthUID, "Contact centre: stream health",
		"Whether the figures can be believed: the sockets, the way of the events through the collector, and the collector itself.")).
		WithVariable(choice("instance", "Collector", `{__name__=~"otelcol_process_uptime(_seconds)?(_total)?"}`))

	built.WithRow(dashboard.NewRowBuilder("Is the stream there?")).WithPanel(streamBands())
	four(built,
		inside("Sockets", "How many sockets are up. Zero: nothing is seen of the platform.", units.Short,
			query{own("otelcol_ccaas_ws_connections"), "{{instance}}"}),
		counts("Disconnects by cause", "Why sockets ended. Silence is a socket that looked open and was dead; closed_by_peer is mostly "+
			"the platform's maintenance.",
			query{ownIncrease("otelcol_ccaas_ws_disconnects", "cause"), "{{cause}} {{instance}}"}),
		counts("Failed connects by cause", "Why no socket came up: unauthorized is about the credentials, throttled about the platform's "+
			"limits, unreachable about the network.",
			query{ownIncrease("otelcol_ccaas_ws_connect_failures", "cause"), "{{cause}} {{instance}}"}),
		counts("Gaps", "Time without a live socket, from the last sign of life to the next socket. What happened in it was not seen, and "+
			"the windows that it touches are incomplete.",
			query{ownIncrease("otelcol_ccaas_ws_gap_time"), "{{instance}}"}).Unit(units.Seconds))

	four(built,
		counts("Reconnects by cause", "Sockets that came up after a time without one, by why there was none.",
			query{ownIncrease("otelcol_ccaas_ws_reconnects", "cause"), "{{cause}} {{instance}}"}),
		counts("Rotations by cause", "Sockets that were replaced before they were lost: these cost no gap.",
			query{ownIncrease("otelcol_ccaas_ws_rotations", "cause"), "{{cause}} {{instance}}"}),
		inside("Token", "How long the platform's token is still valid. It is renewed before it ends; a line that reaches zero is a renewal that fails.",
			units.Seconds,
			query{own("otelcol_ccaas_ws_token_remaining"), "{{instance}}"}),
		inside("Delivery", "How long an event waits in the receiver until downstream has taken it, for 99 of 100 batches.", units.Seconds,
			query{delivery, "{{instance}}"}))

	built.WithRow(dashboard.NewRowBuilder("Does it keep up?"))
	four(built,
		inside("Watermark lag", "How far each stream's event time is behind the clock. Windows come late by as much.", units.Seconds,
			query{lag, "{{tenant_id}} {{region}}"}),
		inside("Backpressure", "Share of the time in which nothing was read from the sockets because what follows did not take it. "+
			"Above zero for long: a store is too slow.", units.PercentUnit,
			query{ownRate("otelcol_ccaas_ws_backpressure_time"), "{{instance}}"}),
		counts("Events that missed a window", "Events that came too late for their window, or from too far ahead. They are in the running "+
			"totals all the same. Many late ones: raise allowed_lateness; many from the future: the platform's clock is wrong.",
			query{ownIncrease("otelcol_ws_window_missed_events", "reason"), "{{reason}} {{instance}}"}),
		inside("Export queues", "How full each exporter's queue is. At 100 % the collector stops reading or drops, as the exporter is configured.",
			units.Percent,
			query{
				share(own("otelcol_exporter_queue_size", "exporter", "data_type"), own("otelcol_exporter_queue_capacity", "exporter", "data_type")),
				"{{exporter}} {{data_type}} {{instance}}",
			}).Max(100))

	built.WithRow(dashboard.NewRowBuilder("Is what comes right?"))
	four(built,
		inside("Events and frames", "What is read from the sockets, per second, and the events that had been read before.", units.CountsPerSecond,
			query{ownRate("otelcol_ccaas_ws_events"), "events {{instance}}"},
			query{ownRate("otelcol_ccaas_ws_frames"), "frames {{instance}}"},
			query{ownRate("otelcol_ccaas_ws_duplicates"), "duplicates {{instance}}"}),
		counts("Violations by reason", "Pieces of frames that are no events. Each is kept as a record with the offending frame, below.",
			query{ownIncrease("otelcol_ccaas_ws_violations", "reason"), "{{reason}} {{instance}}"}).
			DataLinks(eventsLink("Offending frames", violations)),
		lines("Clock skew", "How far the platform's clock is from ours; above zero it is ahead. Dashed: 200 ms, beyond which the rule as shipped alerts.",
			units.Milliseconds,
			query{perStream("max", "last_over_time", "ws_clock_skew_milliseconds"), "{{tenant_id}} {{region}}"}).
			Thresholds(steps(critical, from(-200, calm), from(200, critical))).ThresholdsStyle(dashedThresholds()),
		inside("Streams with a wrong clock", "Streams whose clock is beyond the drift processor's tolerance, of those that are measured.", units.Short,
			query{own("otelcol_drift_drifting_streams"), "drifting {{instance}}"},
			query{own("otelcol_drift_streams"), "measured {{instance}}"}))
	built.WithPanel(records("Violations", "The raw frames that were no events, with the reason.", rawEvents(selectedStreams, violations)))

	built.WithRow(dashboard.NewRowBuilder("Does it arrive?"))
	four(built,
		inside("Exported", "What each exporter delivers, per second.", units.CountsPerSecond,
			query{ownRate("otelcol_exporter_sent_metric_points", "exporter"), "metric points {{exporter}} {{instance}}"},
			query{ownRate("otelcol_exporter_sent_log_records", "exporter"), "log records {{exporter}} {{instance}}"}),
		counts("Failed exports", "What an exporter has given up, after its retries or at once.",
			query{ownIncrease("otelcol_exporter_send_failed_metric_points", "exporter"), "metric points {{exporter}} {{instance}}"},
			query{ownIncrease("otelcol_exporter_send_failed_log_records", "exporter"), "log records {{exporter}} {{instance}}"}),
		counts("Records not delivered", "Records that were read and not delivered, by reason: refused for good downstream, or left at shutdown.",
			query{ownIncrease("otelcol_ccaas_ws_dropped_records", "reason"), "{{reason}} {{instance}}"}),
		counts("Windows", "Windows that ended, and those that wait for downstream to take them.",
			query{ownIncrease("otelcol_ws_window_windows"), "ended {{instance}}"},
			query{own("otelcol_ws_window_waiting_windows"), "waiting {{instance}}"}))

	built.WithRow(dashboard.NewRowBuilder("Do alerts get out?"))
	four(built,
		counts("Alerts told", "Alerts that the rules told, firing and resolved, reminders included.",
			query{ownIncrease("otelcol_alert_alerts", "rule", "status"), "{{rule}} {{status}} {{instance}}"}),
		inside("Alerts waiting", "Alerts that nobody has taken yet. Above zero for long: they are not heard.", units.Short,
			query{own("otelcol_alert_pending_alerts"), "at the rules {{instance}}"},
			query{webhookQueue, "at the webhook {{instance}}"}),
		counts("Webhook requests", "What became of each attempt to deliver an alert: delivered, to be tried again, or refused.",
			query{ownIncrease("otelcol_webhook_requests", "outcome", "status_class"), "{{outcome}} {{status_class}} {{instance}}"}),
		counts("Dead letters", "Alerts that were given up, by reason. Each is in the log or in the file of dead letters; somebody has to read it.",
			query{ownIncrease("otelcol_webhook_dead_letters", "reason"), "{{reason}} {{instance}}"}))

	built.WithRow(dashboard.NewRowBuilder("Is the collector well?"))
	four(built,
		inside("Memory", "Memory of the process, and the heap in it. memory_limiter refuses events before it grows without bound.", units.BytesIEC,
			query{own("otelcol_process_memory_rss"), "process {{instance}}"},
			query{own("otelcol_process_runtime_heap_alloc_bytes"), "heap {{instance}}"}),
		inside("CPU", "Processor time per second: 100 % is one core.", units.PercentUnit,
			query{ownRate("otelcol_process_cpu_seconds"), "{{instance}}"}),
		inside("Room for series and channels", "How much of max_series and max_channels is in use. At 100 % new series share one, and new channels "+
			"are not followed.", units.Percent,
			query{share(own("otelcol_ws_window_series"), own("otelcol_ws_window_series_limit")), "series {{instance}}"},
			query{share(own("otelcol_ws_window_open_channels"), own("otelcol_ws_window_channels_limit")), "channels {{instance}}"}).Max(100),
		inside("Age of the checkpoint", "How old the saved state is: what a crash would cost. It grows without end when the disk takes nothing.", units.Seconds,
			query{own("otelcol_ws_window_checkpoint_age"), "{{instance}}"}))

	built.WithRow(dashboard.NewRowBuilder("Is its own store well? (dashboard extension)"))
	four(built,
		inside("Samples stored", "Samples that the embedded store takes, per second.", units.CountsPerSecond,
			query{ownRate("otelcol_dashboard_samples"), "{{instance}}"}),
		counts("Samples refused", "Samples that were not stored, by reason: too old, too many series, no room on the disk.",
			query{ownIncrease("otelcol_dashboard_refused_samples", "reason"), "{{reason}} {{instance}}"}),
		inside("Room for series", "How much of store.max_series is in use. At 100 % new series are refused.", units.Percent,
			query{share(own("otelcol_dashboard_series"), own("otelcol_dashboard_series_limit")), "{{instance}}"}).Max(100),
		inside("Size on disk", "What the embedded store keeps. It grows until retention or max_bytes takes the oldest away.", units.BytesIEC,
			query{own("otelcol_dashboard_store_size"), "{{instance}}"}))
	return built
}

// violations leaves only the frames that were no events.
const violations = `| ccaas_violation_reason != ""`

// Those that are not simply by collector and cause.
var (
	lag          = "max by (" + stream + ") (last_over_time(" + telemetry("otelcol_ws_window_watermark_lag", selectedStreams) + "[$__rate_interval]))"
	delivery     = "histogram_quantile(0.99, sum by (le, instance) (rate(" + telemetry("otelcol_ccaas_ws_delivery_latency(_seconds)?_bucket") + "[$__rate_interval])))"
	webhookQueue = "sum by (instance) (last_over_time(" + telemetry("otelcol_exporter_queue_size", `exporter=~"webhook.*"`) + "[$__rate_interval]))"
)

// share is how much of a limit is used, in percent.
func share(used, limit string) string { return "100 * " + used + " / " + limit }

// four puts four panels side by side.
func four(built *dashboard.DashboardBuilder, panels ...*timeseries.PanelBuilder) {
	for _, panel := range panels {
		built.WithPanel(panel.Span(6))
	}
}

// inside is a panel of the collector's own telemetry, which is scraped more
// seldom than windows come.
func inside(title, description, unit string, queries ...query) *timeseries.PanelBuilder {
	return lines(title, description, unit, queries...).Interval(scrapeEvery).Min(0)
}

// counts is one of what happened in the time before each point.
func counts(title, description string, queries ...query) *timeseries.PanelBuilder {
	return inside(title, description+" Each point counts the minute before it, or the step when that is longer.", units.Short, queries...).Decimals(0)
}
