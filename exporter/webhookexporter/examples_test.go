// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configauth"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/webhookexporter/internal/payload"
)

// example delivers a firing and a resolved alert as a shipped configuration says, and
// gives what the receiver gets.
func example(t *testing.T, name string, change func(*Config)) (firing, resolved map[string]any) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		file, err := confmaptest.LoadConf(filepath.Join("..", "..", "config", name))
		require.NoError(t, err)
		section, err := file.Sub("exporters::webhook")
		require.NoError(t, err)
		b := startExporter(t, always(202), func(c *Config) {
			require.NoError(t, section.Unmarshal(c))
			require.NotNil(t, c.QueueConfig.Get().StorageID, "a shipped configuration loses nothing")
			c.QueueConfig.Get().StorageID = nil
			c.ClientConfig.Endpoint = "https://alerts.example.com/hook"
			if change != nil {
				change(c)
			}
		})
		b.send(alerts([2]string{"acme/17", "firing"}, [2]string{"acme/17", "resolved"}))
		synctest.Wait()
		b.stop()
		bodies := b.receiver.bodies()
		require.Len(t, bodies, 2, b.logs.All())
		require.NoError(t, json.Unmarshal([]byte(bodies[0]), &firing))
		require.NoError(t, json.Unmarshal([]byte(bodies[1]), &resolved))
	})
	return firing, resolved
}

// Events API v2: routing_key, event_action, dedup_key, and a payload whose summary,
// source and severity (critical, error, warning, info) must be there.
func TestPagerDuty(t *testing.T) {
	t.Parallel()
	firing, resolved := example(t, "webhook-pagerduty.yaml", func(c *Config) {
		c.Template.Variables = map[string]configopaque.String{"routing_key": "0123456789abcdef0123456789abcdef"}
	})
	details := firing["payload"].(map[string]any)["custom_details"]
	delete(firing["payload"].(map[string]any), "custom_details")
	assert.Equal(t, map[string]any{
		"routing_key": "0123456789abcdef0123456789abcdef", "event_action": "trigger", "dedup_key": "acme/17", "client": "otelcol-ccaas",
		"payload": map[string]any{
			"summary":  "ws_connection_drop_rate is 0.68 (threshold 0.5) for acme_corp, eu-west-1, webmessaging",
			"severity": "critical", "source": "acme_corp/eu-west-1", "component": "webmessaging", "class": "ws_connection_drop_rate",
			"timestamp": "2024-05-13T18:03:30.000Z",
		},
	}, firing)
	assert.Equal(t, "Look into it.", details.(map[string]any)["context"])
	assert.Equal(t, "resolve", resolved["event_action"])
	assert.Equal(t, "acme/17", resolved["dedup_key"])
}

// An incoming webhook takes a text, and blocks: a section has a text or at most ten
// fields of at most 2000 characters.
func TestSlack(t *testing.T) {
	t.Parallel()
	firing, resolved := example(t, "webhook-slack.yaml", nil)
	assert.Equal(t, "Firing: ws_connection_drop_rate is 0.68 (threshold 0.5) for acme_corp, eu-west-1, webmessaging", firing["text"])
	assert.Equal(t, "Resolved: ws_connection_drop_rate is 0.68 (threshold 0.5) for acme_corp, eu-west-1, webmessaging", resolved["text"])
	colors := map[string]map[string]any{"danger": firing, "good": resolved}
	for color, message := range colors {
		attachment := message["attachments"].([]any)[0].(map[string]any)
		assert.Equal(t, color, attachment["color"])
		blocks := attachment["blocks"].([]any)
		require.Len(t, blocks, 3)
		for _, block := range blocks {
			section := block.(map[string]any)
			assert.Equal(t, "section", section["type"])
			fields, _ := section["fields"].([]any)
			if text, ok := section["text"].(map[string]any); ok {
				fields = append(fields, text)
			}
			require.NotEmpty(t, fields)
			for _, field := range fields {
				assert.Contains(t, []string{"mrkdwn", "plain_text"}, field.(map[string]any)["type"])
				assert.NotEmpty(t, field.(map[string]any)["text"])
			}
		}
	}
}

// A row of em_event: severity is 1 (critical) to 5, and 0 clears; additional_info is
// JSON within a string.
func TestServiceNow(t *testing.T) {
	t.Parallel()
	firing, resolved := example(t, "webhook-servicenow.yaml", func(c *Config) {
		require.True(t, c.ClientConfig.Auth.HasValue())
		c.ClientConfig.Auth = configoptional.None[configauth.Config]() // a test of its own
	})
	var info map[string]any
	require.NoError(t, json.Unmarshal([]byte(firing["additional_info"].(string)), &info))
	assert.Equal(t, "acme/17", info["alert_id"])
	delete(firing, "additional_info")
	assert.Equal(t, map[string]any{
		"source": "otelcol-ccaas", "event_class": "acme_corp", "node": "eu-west-1", "resource": "webmessaging",
		"metric_name": "ws_connection_drop_rate", "type": "websocket", "message_key": "acme/17", "severity": "1",
		"time_of_event": "2024-05-13 18:03:30",
		"description":   "ws_connection_drop_rate is 0.68 (threshold 0.5) for acme_corp, eu-west-1, webmessaging\nLook into it.",
	}, firing)
	assert.Equal(t, "0", resolved["severity"])
	assert.Equal(t, "acme/17", resolved["message_key"])
}

// A template that does not fit what comes is a dead letter, and the others go on.
func TestATemplateThatDoesNotFit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startExporter(t, always(200), func(c *Config) {
			c.Format, c.Template.Body = payload.FormatTemplate, `{"text": {{ .Body.text }}}`
		})
		logs := plog.NewLogs()
		records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
		records.AppendEmpty().Body().SetStr("no object")
		records.AppendEmpty().Body().SetEmptyMap().PutStr("text", "no JSON")
		records.AppendEmpty().Body().SetEmptyMap().PutInt("text", 3)
		b.send(logs)
		synctest.Wait()
		b.stop()
		assert.Equal(t, []string{`{"text":3}`}, b.receiver.bodies())
		assert.Equal(t, int64(2), b.count("otelcol_webhook_dead_letters", "reason", "payload"))
	})
}

func TestAlertmanagerIsAskedAtItsPath(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startExporter(t, always(200), func(c *Config) {
			c.Format, c.ClientConfig.Endpoint = payload.FormatAlertmanager, "https://alertmanager.example.com/prefix/"
		})
		b.send(alerts([2]string{"a", "firing"}))
		b.send(texts("no alert"))
		synctest.Wait()
		b.stop()
		require.Len(t, b.receiver.all(), 1)
		assert.Equal(t, "https://alertmanager.example.com/prefix/api/v2/alerts", b.receiver.all()[0].url)
		assert.Equal(t, int64(1), b.count("otelcol_webhook_dead_letters", "reason", "payload"))
	})
}
