// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// startAlertmanager starts one without receivers.
func startAlertmanager(t testing.TB) (url string) {
	t.Helper()
	folder := t.TempDir()
	config := filepath.Join(folder, "alertmanager.yml")
	require.NoError(t, os.WriteFile(config, []byte("{route: {receiver: nobody}, receivers: [{name: nobody}]}\n"), 0o600))
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	start(t, "alertmanager", nil, "--config.file", config, "--storage.path", filepath.Join(folder, "data"),
		"--web.listen-address", address, "--cluster.listen-address", "")
	eventually(t, func() error {
		status, _, err := get("http://" + address + "/-/ready")
		if err == nil && status != 200 {
			err = fmt.Errorf("Alertmanager is not ready: %d", status)
		}
		return err
	})
	return "http://" + address
}

// managed is an alert as Alertmanager shows it.
type managed struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
}

// managedAlerts are those that are active for an Alertmanager.
func managedAlerts(url string) (alerts []managed, err error) {
	_, body, err := get(url + "/api/v2/alerts?active=true")
	if err == nil {
		err = json.Unmarshal([]byte(body), &alerts)
	}
	return alerts, err
}

func TestAlertmanagerHasWhatFires(t *testing.T) {
	t.Parallel()
	platform := startCalmPlatform(t)
	alertmanager := startAlertmanager(t)
	a := startAlerting(t, platform, alertmanager, "FORMAT=alertmanager", "REPEAT_INTERVAL=2s")
	a.waitForFiring(t, 0)
	begin := time.Now()
	calm := burst(t, platform)
	waitForManaged := func(want int) (alerts []managed) {
		eventually(t, func() (err error) {
			if alerts, err = managedAlerts(alertmanager); err == nil && len(alerts) != want {
				err = fmt.Errorf("%d alerts are active, want %d", len(alerts), want)
			}
			return err
		})
		return alerts
	}
	first := waitForManaged(alertSeries)
	for _, alert := range first {
		assert.Equal(t, "ws_connection_drop_rate", alert.Labels["alertname"])
		assert.Equal(t, "critical", alert.Labels["severity"])
		assert.Equal(t, "webmessaging", alert.Labels["channel_type"])
		assert.Contains(t, []string{"acme_corp", "globex"}, alert.Labels["tenant_id"])
		assert.Contains(t, []string{"us-east-1", "eu-west-1"}, alert.Labels["region"])
		assert.Equal(t, "WebSocket gateway experiencing elevated drop rate. Immediate investigation required.", alert.Annotations["description"])
		assert.Equal(t, "https://runbooks.example.com/drops", alert.Annotations["runbook_url"])
		assert.WithinRange(t, alert.StartsAt, begin.Add(-time.Second), time.Now())
		assert.Greater(t, time.Until(alert.EndsAt), 12*time.Hour, "it does not end by itself")
	}
	starts := func(alerts []managed) map[string]time.Time {
		at := map[string]time.Time{}
		for _, alert := range alerts {
			at[alert.Annotations["alert_id"]] = alert.StartsAt
		}
		return at
	}
	var again []managed
	eventually(t, func() (err error) { // until each was sent again
		again, err = managedAlerts(alertmanager)
		for _, alert := range again {
			if err == nil && alert.EndsAt.Sub(first[0].EndsAt) < 2*time.Second {
				err = fmt.Errorf("%v was not sent again", alert.Labels)
			}
		}
		return err
	})
	assert.Equal(t, starts(first), starts(again), "reminders do not move the start")
	calm()
	waitForManaged(0)
}
