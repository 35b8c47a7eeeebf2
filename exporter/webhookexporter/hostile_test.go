// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package webhookexporter

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configauth"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/webhookexporter/internal/payload"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

var update = flag.Bool("update", false, "write the golden payloads")

// hostile are dimensions with markup, quotes, line ends, control and bidirectional characters.
var hostile = wsevent.Tags{
	TenantID:    "<!channel> <https://evil.example.com|Acknowledge here> & *b* \u202etxt.exe",
	Region:      "\"},{\"text\":\"x\r\n{{ .Variables }}<script>alert(1)</script>\x00\x1b[31m",
	ChannelType: "a\u2066b\u200bc\u2028d\xff",
}

// What a platform puts into an identifier is text to every receiver: it mentions
// nobody, links nowhere, ends no JSON string and turns no line around.
func TestHostileDimensions(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"alertmanager": func(c *Config) { c.Format = payload.FormatAlertmanager },
		"slack":        shipped(t, "webhook-slack.yaml"),
		"pagerduty":    shipped(t, "webhook-pagerduty.yaml"),
		"servicenow":   shipped(t, "webhook-servicenow.yaml"),
		"functions": func(c *Config) {
			c.Format = payload.FormatTemplate
			c.Template.Body = `{"plain":{{json (plain .Body.tenant_id)}},"slack":{{json (slack .Body.tenant_id)}},"html":{{json (html .Body.region)}},` +
				`"urlquery":{{json (urlquery .Body.region)}},"json":{{json .Body.region}},"absent":{{json (slack .Body.nothing)}},"number":{{json (slack .Body.value)}}}`
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := startExporter(t, always(200), change)
				logs := alerts([2]string{"acme/17", "firing"})
				body := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Body().Map()
				body.PutStr("tenant_id", hostile.TenantID)
				body.PutStr("region", hostile.Region)
				body.PutStr("channel_type", hostile.ChannelType)
				b.send(logs)
				synctest.Wait()
				b.stop()
				require.Len(t, b.receiver.bodies(), 1, b.logs.All())
				var indented bytes.Buffer
				// An Alertmanager alert ends so long after the time of the test, which synctest fixes.
				require.NoError(t, json.Indent(&indented, []byte(b.receiver.bodies()[0]), "", "  "))
				indented.WriteByte('\n')
				path := filepath.Join("testdata", "hostile", name+".json")
				if *update {
					require.NoError(t, os.WriteFile(path, indented.Bytes(), 0o600))
				}
				want, err := os.ReadFile(path)
				require.NoError(t, err)
				assert.Equal(t, string(want), indented.String())
				if name == "slack" {
					assert.NotContains(t, strings.ReplaceAll(indented.String(), "\\u003c", "<"), "<!")
				}
			})
		})
	}
}

// shipped is the exporter of a configuration in config/, without what a test lacks.
func shipped(t *testing.T, name string) func(*Config) {
	t.Helper()
	file, err := confmaptest.LoadConf(filepath.Join("..", "..", "config", name))
	require.NoError(t, err)
	section, err := file.Sub("exporters::webhook")
	require.NoError(t, err)
	return func(c *Config) {
		require.NoError(t, section.Unmarshal(c))
		c.QueueConfig.Get().StorageID = nil
		c.ClientConfig.Endpoint = "https://alerts.example.com/hook"
		c.ClientConfig.Auth = configoptional.None[configauth.Config]()
		c.Template.Variables = map[string]configopaque.String{"routing_key": "key"}
	}
}
