// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

// vault is a collector with every component that takes a secret, which writes all
// that it can write, while much goes wrong.
type vault struct {
	*process
	platform        *sim.Server
	data            string
	health, metrics string // URLs
	dashboard       string

	mutex  sync.Mutex
	issued []string // tokens
}

var issuedToken = regexp.MustCompile(`(?:"(?:access_token|id_token)":"|token=)([^"&\\]{20,})`)

// overhear is a way to the platform on which the tokens are noted that it issues.
func (v *vault) overhear(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	v.platform = startPlatform(t, func(c *sim.Config) {
		c.Advertise = server.Listener.Addr().String()
		c.ClientID, c.AccessKey, c.AccessKeySecret = "", "key", "marked-access-key"
		c.Rate, c.Announce, c.Sessions, c.Trouble.Malformed = 200, true, 50, 0.02
		c.Trouble.TokenFail, c.Trouble.UpgradeFail = sim.Failure{Status: 401, Times: 1}, sim.Failure{Status: 503, Times: 3}
		c.Trouble.CloseEvery = 3 * time.Second
		c.Trouble.SinkFail = sim.Failure{Status: 400, Times: 5}
	})
	behind, err := url.Parse(v.platform.URL())
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(behind)
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	proxy.ModifyResponse = func(r *http.Response) error {
		if r.Header.Get("Content-Type") != "application/json" {
			return nil
		}
		body, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		v.mutex.Lock()
		defer v.mutex.Unlock()
		for _, found := range issuedToken.FindAllSubmatch(body, -1) {
			v.issued = append(v.issued, string(found[1]))
		}
		return err
	}
	server.Config.Handler = proxy
	server.Start()
	t.Cleanup(server.Close)
	return server
}

func (v *vault) tokens() []string {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	return slices.Clone(v.issued)
}

const vaultConfig = `
extensions:
  health_check:
    http: { endpoint: "${env:HEALTH}", status: { enabled: true, path: / } }
    component_health: { include_permanent_errors: true, include_recoverable_errors: true, recovery_duration: 0s }
  file_storage: { directory: "${env:DATA}/state", create_directory: true, fsync: true }
  bearertokenauth: { token: marked-bearer }
  oauth2client: { client_id: id, client_secret: marked-oauth2client, token_url: "${env:SIM}/oauth/nowhere" }
  dashboard: { endpoint: "${env:DASHBOARD}", store: { directory: "${env:DATA}/store" } }
  dashboard/outside:
    endpoint: "${env:OUTSIDE}"
    prometheus: { endpoint: "${env:SIM}/prometheus", headers: { Authorization: Bearer marked-dashboard-header } }
receivers:
  otlp: { protocols: { http: { endpoint: "${env:OTLP}", auth: { authenticator: bearertokenauth } } } }
  ccaas_kafka:
    brokers: ["127.0.0.1:1"]
    auth: { sasl: { username: me, password: marked-kafka-receiver, mechanism: PLAIN } }
  ccaas_ws: &ws
    platform: genesys_cloud
    endpoint: "${env:SIM}"
    tenant_id: acme_corp
    region: us-east-1
    oauth2: { client_id: collector, client_secret: marked-client-secret }
    reconnect: { initial_interval: 50ms, max_interval: 500ms }
  ccaas_ws/notifications: { <<: *ws, api: notifications }
  ccaas_ws/hub:
    <<: *ws
    platform: nice_cxone
    api: event_hub
    oauth2: { client_id: hub, client_secret: marked-hub-secret, grant_type: password, username: key, password: marked-access-key }
  ccaas_ws/refused: { <<: *ws, oauth2: { client_id: nobody, client_secret: marked-client-secret } }
  ccaas_ws/proxied: { <<: *ws, endpoint: "wss://platform.example.com", proxy_url: "http://me:marked-proxy-password@127.0.0.1:1" }
  ccaas_ws/custom:
    platform: custom
    endpoint: "${env:SIM}"
    tenant_id: acme_corp
    region: us-east-1
    session:
      url_from:
        method: POST
        url: /participant/connection?key=marked-url-query
        headers: { X-Amz-Bearer: marked-participant }
        body: '{"Type":["WEBSOCKET","CONNECTION_CREDENTIALS"],"Key":"marked-session-body"}'
        path: Websocket.Url
        expires: Websocket.ConnectionExpiry
      on_open:
        - { send: '{"topic":"aws/subscribe","content":{"topics":["aws/chat"]},"key":"marked-on-open"}', expect: '{"topic":"aws/subscribe","content":{"status":"success"}}' }
      keep_alive: { send: '{"topic":"aws/heartbeat","key":"marked-keep-alive"}', interval: 1s }
processors:
  drift: { interval: 1s }
  ws_window: { size: 1s, overlap: 0s, allowed_lateness: 200ms, idle_timeout: 200ms, storage: file_storage, checkpoint_interval: 1s }
connectors:
  ws_metrics:
  alert:
    storage: file_storage
    rules:
      - { name: some_messages, metric: ws.messages, severity: info, threshold: { above: 0 } }
exporters:
  debug:
  file: { path: "${env:DATA}/archive/events.jsonl", create_directory: true, directory_permissions: "0700", flush_interval: 100ms }
  otlp_http: { endpoint: "http://${env:DASHBOARD}", metrics_endpoint: "http://${env:DASHBOARD}/api/v1/otlp/v1/metrics", headers: { X-Key: marked-otlp-header } }
  otlp_http/oauth2: { endpoint: "${env:SIM}", auth: { authenticator: oauth2client }, headers: { X-Key: marked-otlp-header } }
  prometheus_remote_write: { endpoint: "http://127.0.0.1:1/push", headers: { Authorization: Basic marked-remote-write } }
  kafka: { brokers: ["127.0.0.1:1"], auth: { sasl: { username: me, password: marked-kafka-password, mechanism: PLAIN } } }
  webhook:
    endpoint: "${env:SIM}/sink/marked-webhook-path?key=marked-url-query"
    secret: whsec_{{signature}}
    headers: { Authorization: Bearer marked-webhook-header }
    dead_letter: { path: "${env:DATA}/dead.jsonl" }
    sending_queue: { storage: file_storage }
  webhook/template:
    endpoint: "http://127.0.0.1:1/marked-webhook-path"
    format: template
    template: { body: '{"key":{{"{{"}}toJSON .Variables.key{{"}}"}}}', variables: { key: marked-template-variable } }
    dead_letter: { path: "${env:DATA}/template.jsonl" }
    sending_queue: { storage: file_storage }
service:
  extensions: [health_check, file_storage, bearertokenauth, oauth2client, dashboard, dashboard/outside]
  telemetry:
    logs: { level: debug, sampling: { enabled: false } }
    metrics: { level: detailed, readers: [ { pull: { exporter: { prometheus: { host: 127.0.0.1, port: "${env:METRICS_PORT}" } } } } ] }
  pipelines:
    logs/events:
      receivers: [ccaas_ws, ccaas_ws/notifications, ccaas_ws/hub, ccaas_ws/custom, ccaas_ws/refused, ccaas_ws/proxied, otlp]
      processors: [drift, ws_window]
      exporters: [ws_metrics, file, debug]
    logs/kafka: { receivers: [ccaas_kafka], exporters: [debug] }
    logs/lost: { receivers: [otlp], exporters: [kafka, otlp_http/oauth2] }
    metrics/windows: { receivers: [ws_metrics], exporters: [otlp_http, otlp_http/oauth2, prometheus_remote_write, alert] }
    logs/alerts: { receivers: [alert], exporters: [webhook, webhook/template] }
`

// startVault starts a vault; the shell says something before.
func startVault(t *testing.T, data, before string) *vault {
	t.Helper()
	v := &vault{data: data}
	way := v.overhear(t)
	address := func() string { return fmt.Sprintf("127.0.0.1:%d", freePort(t)) }
	health, metrics, dashboard := address(), freePort(t), address()
	v.health, v.metrics, v.dashboard = "http://"+health, fmt.Sprintf("http://127.0.0.1:%d/metrics", metrics), "http://"+dashboard
	config := filepath.Join(t.TempDir(), "config.yaml")
	signature := base64.StdEncoding.EncodeToString([]byte("marked-signature-0000000"))
	text := strings.NewReplacer("{{signature}}", signature, `{{"{{"}}`, "{{", `{{"}}"}}`, "}}").Replace(vaultConfig)
	require.NoError(t, os.WriteFile(config, []byte(text), 0o600))
	command := exec.CommandContext(context.Background(), "sh", "-c", before+`exec "$0" "$@"`, built(t, "otelcol-ccaas"), "--config", config)
	command.Env = append(os.Environ(), "SIM="+way.URL, "DATA="+data, "HEALTH="+health, "DASHBOARD="+dashboard,
		"OUTSIDE="+address(), "OTLP="+address(), fmt.Sprintf("METRICS_PORT=%d", metrics))
	v.process = startCommand(t, "otelcol-ccaas", command)
	return v
}

// busy is an error unless everything has been written that there is to write.
func (v *vault) busy() error {
	var errs []error
	for _, path := range []string{"archive/events.jsonl", "dead.jsonl", "store/wal/00000000", "state"} {
		if info, err := os.Stat(filepath.Join(v.data, path)); err != nil {
			errs = append(errs, err)
		} else if info.Size() == 0 {
			errs = append(errs, fmt.Errorf("%s is empty", path))
		}
	}
	for name, socket := range v.platform.Truth().APIs {
		if socket.Events == 0 {
			errs = append(errs, fmt.Errorf("%s has had no event", name))
		}
	}
	if apis := len(v.platform.Truth().APIs); apis < 4 {
		errs = append(errs, fmt.Errorf("only %v have a socket", slices.Sorted(maps.Keys(v.platform.Truth().APIs))))
	}
	return errors.Join(errs...)
}
