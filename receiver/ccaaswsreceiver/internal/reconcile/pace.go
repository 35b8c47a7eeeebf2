// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"net/http"
	"strconv"
	"time"
)

const (
	// minPace is the minimum time between two requests.
	minPace = time.Second
	// maxQuota is the share of the platform's quota, in percent, that requests may use.
	maxQuota = 80
	// maxReset bounds the wait for a new quota.
	maxReset = 10 * time.Minute

	initialBackoff = 2 * time.Second
	maxBackoff     = time.Minute
)

// Pace says when the next request may be sent.
type Pace struct {
	next     time.Time
	failures int
}

// Wait returns how long the next request has to wait.
func (p *Pace) Wait(now time.Time) time.Duration { return max(0, p.next.Sub(now)) }

// Sent records a request.
func (p *Pace) Sent(now time.Time) { p.next = now.Add(minPace) }

// Answered obeys the quota that the header of a response names.
func (p *Pace) Answered(header http.Header, now time.Time) {
	count, countErr := strconv.ParseFloat(header.Get("inin-ratelimit-count"), 64)
	allowed, allowedErr := strconv.ParseFloat(header.Get("inin-ratelimit-allowed"), 64)
	reset, resetErr := strconv.ParseFloat(header.Get("inin-ratelimit-reset"), 64)
	if countErr != nil || allowedErr != nil || resetErr != nil || allowed <= 0 || count*100 < allowed*maxQuota || reset <= 0 {
		return
	}
	p.delay(time.Duration(min(reset, maxReset.Seconds())*float64(time.Second)), now)
}

// Failed records a request that is to be sent again, after the time that the platform asks
// for or, where that is 0, a time that grows.
func (p *Pace) Failed(retryAfter time.Duration, now time.Time) {
	backoff := min(initialBackoff<<min(p.failures, 8), maxBackoff)
	p.failures++
	p.delay(max(retryAfter, backoff), now)
}

// Succeeded records a response.
func (p *Pace) Succeeded() { p.failures = 0 }

func (p *Pace) delay(wait time.Duration, now time.Time) {
	if at := now.Add(wait); at.After(p.next) {
		p.next = at
	}
}
