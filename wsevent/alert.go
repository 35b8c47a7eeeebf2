// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsevent

// Types of alert records, as they stand in EventName.
const (
	AlertFiring   = "alert.firing"
	AlertResolved = "alert.resolved"
)

// Values of "status" in an alert's body.
const (
	StatusFiring   = "firing"
	StatusResolved = "resolved"
)

// AlertID is the same for all records of an episode. It is an attribute of the
// record and a key of its body.
const AlertID = "alert_id"

// Keys of an alert record's body, in their order. Between the threshold and the
// window stand the dimensions that the series has, under their own names; the body
// ends with those keys that have something to say, from the runbook on.
const (
	KeyAlertType      = "alert_type" // the severity
	KeyAlertMetric    = KeyMetric    // the rule's name
	KeyAlertValue     = "value"      // null when there is no data
	KeyAlertThreshold = "threshold"
	KeyWindowStart    = "window_start" // int, unix ms
	KeyAlertWindowEnd = KeyWindowEnd   // int, unix ms
	KeyContext        = "context"
	KeyStatus         = "status"
	KeyBaseline       = "baseline" // null without one
	KeySnapshot       = "snapshot"
	KeyRunbookURL     = "runbook_url"
	KeyAnnotations    = "annotations"
	KeyLabels         = "labels"       // the series' attributes besides the dimensions
	KeyAlertTraces    = KeyTraces      // IDs of sampled sessions that were dropped in the window, up to MaxAlertTraces
	KeyFaultDomain    = "fault_domain" // here, platform or tenant
	KeyEndsAt         = "ends_at"      // int, unix ms: when a heartbeat is no longer valid
	KeyReason         = "reason"       // when it is not the threshold: no data, and ends without a clear window
)

// MaxAlertTraces is how many traces an alert names.
const MaxAlertTraces = 5

// AlertKeys are all keys that an alert record's body can have.
func AlertKeys() []string {
	return []string{
		KeyAlertType, KeyAlertMetric, KeyAlertValue, KeyAlertThreshold, Region, TenantID, ChannelType, KeyWindowStart, KeyAlertWindowEnd,
		KeyContext, KeyStatus, AlertID, KeyBaseline, KeySnapshot, KeyAlertTraces, KeyRunbookURL, KeyAnnotations, KeyLabels, KeyFaultDomain, KeyEndsAt, KeyReason,
	}
}

// Metrics about alerts, with the attributes below and those of the series.
const (
	MetricAlertBaseline  = "ws.alert.baseline"
	MetricAlertThreshold = "ws.alert.threshold"
	MetricAlertFor       = "ws.alert.for"
	MetricAlertFiring    = "ws.alert.firing"

	AlertRule     = "rule"
	AlertSeverity = "severity"
	AlertMetric   = "metric" // that the rule looks at
)

// DroppedMetric counts the connections that closed abnormally. Its exemplars are sampled
// sessions.
const DroppedMetric = "ws.connections.dropped"

// CompleteMetric is 0 for a window in which the stream was not watched all the
// time.
const CompleteMetric = "ws.window.complete"
