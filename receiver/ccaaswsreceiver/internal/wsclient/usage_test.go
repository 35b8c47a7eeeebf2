// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package wsclient

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_715_000_000, 0)
	u := &Usage{Limit: 100, UsedHeader: "used", AllowedHeader: "allowed"}
	assert.Zero(t, u.Ratio(now))
	for range 30 {
		u.sent(now)
	}
	now = now.Add(30 * time.Second)
	for range 20 {
		u.sent(now)
	}
	assert.InDelta(t, 0.5, u.Ratio(now), 1e-9)
	assert.InDelta(t, 0.5, u.Ratio(now.Add(29*time.Second)), 1e-9)
	assert.InDelta(t, 0.2, u.Ratio(now.Add(30*time.Second)), 1e-9, "the first are a minute ago")
	assert.Zero(t, u.Ratio(now.Add(time.Hour)))
	assert.Zero(t, u.Ratio(now), "the clock was set back")

	u.sent(now.Add(time.Hour))
	now = now.Add(time.Hour)
	u.answered(http.Header{"Used": {"270"}, "Allowed": {"300"}}, now)
	assert.InDelta(t, 0.9, u.Ratio(now), 1e-9, "other users of the client count, too")
	for _, bad := range []http.Header{{}, {"Used": {"5"}}, {"Used": {"x"}, "Allowed": {"300"}}, {"Used": {"-1"}, "Allowed": {"300"}}, {"Used": {"1"}, "Allowed": {"0"}}} {
		u.answered(bad, now)
	}
	assert.InDelta(t, 0.9, u.Ratio(now), 1e-9, "a response without them changes nothing")
	assert.InDelta(t, 0.01, u.Ratio(now.Add(59*time.Second)), 0.9)
	assert.Zero(t, u.Ratio(now.Add(2*time.Minute)))
}
