// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package httpstatus

import (
	"net/http"
	"strconv"
	"time"
)

// Result is the meaning of a response status for the request.
type Result int

const (
	// Delivered says that the receiver has it.
	Delivered Result = iota
	// Retry says that the receiver cannot take it now, and nothing says that it never will.
	Retry
	// Redirected says that the receiver is elsewhere. A redirect is not followed, for
	// it could lead a signed alert anywhere; a person has to change the endpoint.
	Redirected
	// Refused says that the receiver does not take it, now or later.
	Refused
	// Gone says that the receiver wants nothing more, ever (Standard Webhooks: 410).
	Gone
)

// Classify maps a response status. All of 5xx is worth another attempt: a
// receiver that broke down over an alert is to be mended, and the alert is not to
// be lost meanwhile.
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

// Class is the class of a status, as in 2xx.
func Class(status int) string {
	if status < 200 || status > 599 {
		return "none"
	}
	return strconv.Itoa(status/100) + "xx"
}

// longest bounds the wait that a receiver can ask for, so that a mistake of its
// does not silence it for days.
const longest = 15 * time.Minute

// RetryAfter is how long the answer asks to be left alone: the value of its
// Retry-After header, in seconds or as a date. It is 0 where there is none, or
// none that can be read.
func RetryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(header, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, longest)
	}
	if date, err := http.ParseTime(header); err == nil {
		return min(max(0, date.Sub(now)), longest)
	}
	return 0
}
