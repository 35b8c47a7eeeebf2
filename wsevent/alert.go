// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsevent

// Types of alert records, as they stand in EventName.
const (
	AlertFiring   = "alert.firing"
	AlertResolved = "alert.resolved"
)

// AlertID is the record attribute that names an episode: the same from its first
// alert.firing to its alert.resolved.
const AlertID = "alert_id"
