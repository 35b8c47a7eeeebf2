// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package promalert

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var now = time.Date(2024, 5, 13, 18, 3, 40, 0, time.UTC)

func body(status string) map[string]any {
	return map[string]any{
		"alert_type": "critical", "metric": "ws_connection_drop_rate", "value": 0.68, "threshold": 0.5,
		"region": "eu-west-1", "tenant_id": "acme_corp", "status": status, "context": "text",
		"window_start": int64(1715623400000), "window_end": int64(1715623410000),
	}
}

func TestNew_FiringAndResolvedHaveTheSameLabels(t *testing.T) {
	t.Parallel()
	firing, err := New("a", body("firing"), now, time.Hour)
	require.NoError(t, err)
	resolved, err := New("a", body("resolved"), now, time.Hour)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{
		"alertname": "ws_connection_drop_rate", "severity": "critical", "tenant_id": "acme_corp", "region": "eu-west-1",
	}, firing.Labels)
	assert.Equal(t, firing.Labels, resolved.Labels)
	assert.Equal(t, "a", firing.Annotations[AnnotationID])
	assert.Equal(t, now.Add(time.Hour), firing.EndsAt)
	assert.Equal(t, time.UnixMilli(1715623410000).UTC(), resolved.EndsAt)
	assert.True(t, resolved.StartsAt.Before(resolved.EndsAt))
}

// A heartbeat says itself when it ends, so that it ends soon after it is withheld.
func TestNew_EndOfAHeartbeat(t *testing.T) {
	t.Parallel()
	heartbeat := body("firing")
	heartbeat["ends_at"] = int64(1715623590000)
	alert, err := New("a", heartbeat, now, time.Hour)
	require.NoError(t, err)
	assert.Equal(t, time.UnixMilli(1715623590000).UTC(), alert.EndsAt)
}

func TestNew_NotAnAlert(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		id   string
		body any
		says string
	}{
		{"", body("firing"), "alert_id"},
		{"a", "text", "object as body"},
		{"a", map[string]any{}, "alert a: body has no metric"},
		{"a", body("acknowledged"), `status: "acknowledged": must be firing or resolved`},
	} {
		_, err := New(one.id, one.body, now, time.Hour)
		require.ErrorContains(t, err, one.says)
	}
}
