// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package calendar knows times that are set apart: one-off, recurring by cron, or
// taken from an iCalendar file.
package calendar
