// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package httpstatus classifies the response of a webhook.
package httpstatus

import (
	"net/http"
	"strconv"
	"time"
)

// Result is the result of a request, as own telemetry reports it.
type Result string

// Results.
const (
	// Delivered: the receiver has acknowledged the record.
	Delivered Result = "delivered"
	// Retry: the receiver cannot accept the record at present.
	Retry Result = "retry"
	// Redirected: the receiver is elsewhere. A redirect is not followed, because it could
	// lead a signed alert to any host; a person has to change the endpoint.
	Redirected Result = "redirected"
	// Refused: the receiver does not accept the record, now or later.
	Refused Result = "refused"
	// Gone: the receiver accepts nothing any more (Standard Webhooks: 410).
	Gone Result = "gone"
)

// Classify returns the result of a status. All of 5xx is retried: a receiver that fails on an
// alert is expected to be repaired, and the alert must not be lost meanwhile.
func Classify(status int) Result {
	switch {
	case status >= 200 && status <= 299:
		return Delivered
	case status >= 300 && status <= 399:
		return Redirected
	case status == http.StatusGone:
		return Gone
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests, status >= 500:
		return Retry
	default:
		return Refused
	}
}

// Class returns the class of a status, as in 2xx.
func Class(status int) string {
	if status < 200 || status > 599 {
		return "none"
	}
	return strconv.Itoa(status/100) + "xx"
}

// maxRetryAfter bounds the delay that a receiver can request.
const maxRetryAfter = 15 * time.Minute

// RetryAfter returns the delay that a Retry-After header requests, in seconds or as a date.
// It is 0 without one, or with one that is not valid, and at most 15 minutes.
func RetryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(header, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	if date, err := http.ParseTime(header); err == nil {
		return min(max(0, date.Sub(now)), maxRetryAfter)
	}
	return 0
}
