// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package notifications goes the HTTP steps of the Genesys Cloud Notification
// Service: which topics there are, a channel for every thousand of them, their
// subscriptions, and what becomes of those when the platform says no.
package notifications
