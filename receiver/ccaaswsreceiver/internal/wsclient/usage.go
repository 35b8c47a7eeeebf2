// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Usage compares the requests of the last minute with their limits: our own, and the
// platform's where its responses have it.
type Usage struct {
	Limit int // our own, requests per minute
	// UsedHeader and AllowedHeader are those of the platform's limit per minute, which all
	// users of a client share; empty: there are none.
	UsedHeader, AllowedHeader string

	mutex    sync.Mutex
	seconds  [60]int // requests, by second
	latest   int64   // unix second of the latest request
	platform float64 // share of the platform's limit
	reported time.Time
}

// sent counts a request.
func (u *Usage) sent(now time.Time) {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	u.advance(now)
	u.seconds[now.Unix()%60]++
}

// advance clears the seconds since the latest request.
func (u *Usage) advance(now time.Time) {
	second := now.Unix()
	for passed := max(u.latest+1, second-59); passed <= second; passed++ {
		u.seconds[passed%60] = 0
	}
	u.latest = max(u.latest, second)
}

// answered reads the headers of a response.
func (u *Usage) answered(header http.Header, now time.Time) {
	if u.AllowedHeader == "" {
		return
	}
	used, usedErr := strconv.ParseFloat(header.Get(u.UsedHeader), 64)
	allowed, allowedErr := strconv.ParseFloat(header.Get(u.AllowedHeader), 64)
	if usedErr != nil || allowedErr != nil || used < 0 || allowed < 1 || used > 1e9 {
		return
	}
	u.mutex.Lock()
	defer u.mutex.Unlock()
	u.platform, u.reported = used/allowed, now
}

// Ratio returns how much is used of the limit that is nearest, 0 to 1 or more.
func (u *Usage) Ratio(now time.Time) float64 {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	u.advance(now)
	total := 0
	for _, requests := range u.seconds {
		total += requests
	}
	own := float64(total) / float64(max(u.Limit, 1))
	if u.reported.IsZero() || now.Sub(u.reported) > time.Minute {
		return own
	}
	return max(own, u.platform)
}
