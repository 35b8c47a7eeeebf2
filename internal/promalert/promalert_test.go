// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package promalert

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
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

// A person reads the summary; the annotations keep every digit.
func TestSummary_RoundsToFourDigits(t *testing.T) {
	t.Parallel()
	for want, numbers := range map[string][2]any{
		"busy is 273 (threshold 246.2)":           {273.0, 246.21739130434781},
		"busy is 0.6812 (threshold 0.5)":          {0.68118, 0.5},
		"busy is 12345 (threshold 12350)":         {12345.0, 12345.678},
		"busy is 1.235e+09 (threshold 0.0001235)": {1234567890.0, 0.00012345678},
		"busy is 7 (threshold -1.5)":              {int64(7), -1.5},
	} {
		body := map[string]any{wsevent.KeyAlertValue: numbers[0], wsevent.KeyAlertThreshold: numbers[1]}
		assert.Equal(t, want, Summary("busy", body))
		assert.Equal(t, Text(numbers[1]), annotations("busy", "1", body)[wsevent.KeyAlertThreshold])
	}
	assert.Equal(t, "busy", Summary("busy", nil))
}
