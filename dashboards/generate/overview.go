// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/units"
)

const group = "{{tenant_id}} {{region}} {{channel_type}}"

// overview answers: how much goes on, how much is lost, and is it true?
func overview() *dashboard.DashboardBuilder {
	built := withDimensions(shell(overviewUID, "Contact centre: overview",
		"Connections, messages and bytes of the contact centre's WebSockets, as the windows count them.")).
		WithVariable(dashboard.NewCustomVariableBuilder("by").Label("By").Multi(true).
			Description("What a line stands for").
			Values(dashboard.StringOrMap{String: new("region,tenant_id,channel_type")}).
			Current(dashboard.VariableOption{
				Text:  dashboard.StringOrArrayOfString{ArrayOfString: []string{"region"}},
				Value: dashboard.StringOrArrayOfString{ArrayOfString: []string{"region"}},
			}))
	for _, annotation := range alertMarks() {
		built.Annotation(annotation)
	}
	built.Annotation(mark("Incomplete windows", warning,
		"max by ("+stream+") (1 - min_over_time(ws_window_complete_ratio{"+selectedStreams+"}[$__interval])) > 0"))

	connections := perSeries("max_over_time", "ws_active_connections")
	threshold := ofRule("ws_alert_threshold", connectionsRule)
	baseline := ofRule("ws_alert_baseline", connectionsRule)
	throughput := "sum(max by (" + series + ") (last_over_time(ws_payload_throughput_bytes_per_second{" + selectedSeries + "}[" + fresh + "])))"
	return built.
		WithPanel(lines("Active connections",
			"How many connections were open at some moment of each window; the highest window where a point stands for several. Dashed: "+
				"the usual level (95th percentile of the past week, campaigns left out) and the level that alerts. Alerts are about "+
				"single series: a line above its dashed red one means that at least one series of it is too high.",
			units.Short,
			query{grouped("sum", connections), group},
			query{whole(threshold, connections), "alerts above: " + group},
			query{whole(baseline, connections), "usual: " + group}).
			OverrideByQuery("B", dashed(critical)).OverrideByQuery("C", dashed(neutral)).
			DataLinks(eventsLink("Raw events", ""))).
		WithPanel(bars("Messages per second",
			"How many messages are sent and received per second. A bar is the average of the windows it covers; no bar means no windows.",
			units.MessagesPerSecond,
			query{grouped("sum", perSeries("avg_over_time", "ws_messages_per_second")), group}).
			DataLinks(eventsLink("Raw events", ""))).
		WithPanel(dials("Payload throughput",
			"How many bytes of payload move now, against the most in the time shown: the sum over the series that report a size. No value means "+
				"that no windows come, which is a dead stream and not a calm one, or that no message of these series has a size.",
			units.BytesPerSecondSI,
			query{throughput, "now"},
			query{"max_over_time((" + throughput + ")[$__range:" + windowEvery + "])", "peak"})).
		WithPanel(lines("Drop rate",
			"Which share of the open connections dropped in a window: the worst series of each line. Dashed: 0.5 %, at which the rule "+
				"as shipped alerts after two windows in a row, and the threshold that is really set. A series without a line has no windows, or "+
				"its platform never says whether a close was abnormal.",
			units.Percent,
			query{grouped("max", perSeries("max_over_time", "ws_drop_rate_percent")), group},
			query{"min(" + ofRule("ws_alert_threshold", dropsRule) + ")", "alerts above"}).
			OverrideByQuery("B", dashed(critical)).Min(0).AxisSoftMax(1).NoValue(noValue).
			Thresholds(steps(calm, from(0.5, critical))).
			ThresholdsStyle(dashedThresholds()).
			DataLinks(eventsLink("Dropped connections", dropped))).
		WithPanel(firingNow(selectedSeries).Links([]cog.Builder[dashboard.DashboardLink]{
			link("Alerts", "/d/"+alertsUID).KeepTime(true).IncludeVars(true),
		})).
		WithPanel(streamBands().Links([]cog.Builder[dashboard.DashboardLink]{
			link("Stream health", "/d/"+streamHealthUID).KeepTime(true).IncludeVars(true),
		})).
		WithPanel(records("Dropped connections",
			"The raw events of connections that closed abnormally: code and reason, channel and user.",
			rawEvents(selectedSeries, dropped)))
}

// dropped leaves only abnormal closes.
const dropped = `| ccaas_close_abnormal = "true"`
