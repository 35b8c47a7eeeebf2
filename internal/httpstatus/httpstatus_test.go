// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package httpstatus

import (
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	special := map[int]Result{408: Retry, 410: Gone, 425: Retry, 429: Retry}
	for status := 100; status < 700; status++ {
		want, isSpecial := special[status]
		if !isSpecial {
			switch status / 100 {
			case 2:
				want = Delivered
			case 3:
				want = Redirected
			case 5, 6:
				want = Retry
			default:
				want = Refused
			}
		}
		assert.Equal(t, want, Classify(status), status)
	}
}

func TestClass(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{0: "none", 101: "none", 204: "2xx", 307: "3xx", 410: "4xx", 599: "5xx", 999: "none"} {
		assert.Equal(t, want, Class(status), status)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"":                     0,
		"0":                    0,
		"30":                   30 * time.Second,
		"1e3":                  0,
		"-5":                   0,
		"soon":                 0,
		"86400":                maxRetryAfter,
		"18446744073709551615": 0,
		now.Add(time.Minute).Format(http.TimeFormat): time.Minute,
		now.Add(-time.Hour).Format(http.TimeFormat):  0,
		now.AddDate(1, 0, 0).Format(http.TimeFormat): maxRetryAfter,
	} {
		assert.Equal(t, want, RetryAfter(header, now), header)
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("30", int64(0))
	f.Add("Wed, 25 Nov 2026 12:00:00 GMT", int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, header string, now int64) {
		wait := RetryAfter(header, time.Unix(now, 0))
		if wait < 0 || wait > maxRetryAfter {
			t.Errorf("%q: %v", header, wait)
		}
	})
}
