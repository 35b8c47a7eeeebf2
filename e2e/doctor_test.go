// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/diagnosis"
	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
)

const doctorSecret = "hush-of-the-doctor-1742"

// checkedPlatform is a platform, and the environment of a configuration that is in order.
type checkedPlatform struct {
	platform    *sim.Server
	environment map[string]string
}

func newCheckedPlatform(t *testing.T) *checkedPlatform {
	t.Helper()
	platform := startPlatform(t, func(c *sim.Config) {
		c.Silent, c.TLS, c.ClientID, c.ClientSecret = true, true, "doctor", doctorSecret
	})
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, platform.Certificate(), 0o600))
	url := strings.Replace(platform.URL(), "127.0.0.1", "localhost", 1)
	return &checkedPlatform{platform: platform, environment: map[string]string{
		"STATE": filepath.Join(t.TempDir(), "state"), "REALTIME": url, "PLATFORM": url, "CLIENT_SECRET": doctorSecret, "CA_FILE": ca,
		"TOPIC":    "v2.routing.queues.5bd31e29-0a05-4bb6-9ebb-8d8c1c5d5b55.conversations.messages",
		"EXPORTER": url + "/sink/" + doctorSecret, "http_proxy": "", "https_proxy": "", "HTTPS_PROXY": "", "HTTP_PROXY": "",
	}}
}

// examine runs the doctor, with another environment. It returns the results, and the exit code.
func (p *checkedPlatform) examine(t *testing.T, environment map[string]string) (results []diagnosis.Result, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, built(t, "otelcol-ccaas"), "doctor", "--json", "--config", "testdata/doctor.yaml")
	command.Env = os.Environ()
	for _, set := range []map[string]string{p.environment, environment} {
		for name, value := range set {
			command.Env = append(command.Env, name+"="+value)
		}
	}
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	_ = command.Run()
	require.NotNil(t, command.ProcessState)
	var answer struct {
		OK     bool
		Checks []diagnosis.Result
	}
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &answer), "%s%s", stdout.String(), stderr.String())
	assert.Equal(t, command.ProcessState.ExitCode() == 0, answer.OK)
	assert.NotContains(t, stdout.String()+stderr.String(), doctorSecret)
	return answer.Checks, command.ProcessState.ExitCode()
}

func TestDoctor_NothingIsWrong(t *testing.T) {
	t.Parallel()
	p := newCheckedPlatform(t)
	results, code := p.examine(t, nil)
	assert.Zero(t, code)
	checks := map[string][]string{}
	for _, result := range results {
		assert.Equal(t, diagnosis.OK, result.Status, result)
		checks[result.Component] = append(checks[result.Component], result.Check)
	}
	assert.Equal(t, map[string][]string{
		"config":                            {"valid"},
		"receivers::ccaas_ws/realtime":      {"dns", "tcp", "tls", "clock", "token", "scopes", "preflight"},
		"receivers::ccaas_ws/notifications": {"dns", "tcp", "tls", "clock", "token", "scopes", "permissions", "topics", "channels"},
		"receivers::ccaas_ws/queues":        {"dns", "tcp", "tls", "clock", "token", "scopes", "queues", "permissions", "topics", "channels"},
		"exporters::webhook":                {"answers"},
		"extensions::file_storage":          {"storage"},
	}, checks)

	// Nothing has changed: not at the platform, and not here.
	truth := p.platform.Truth()
	assert.Zero(t, truth.Channels.Created)
	assert.Zero(t, truth.Requests.Subscriptions)
	assert.Zero(t, truth.Requests.Upgrades)
	assert.NoDirExists(t, p.environment["STATE"])

	// A line for each check.
	command := exec.CommandContext(t.Context(), built(t, "otelcol-ccaas"), "doctor", "--config", "testdata/doctor.yaml")
	for name, value := range p.environment {
		command.Env = append(command.Env, name+"="+value)
	}
	out, err := command.Output()
	require.NoError(t, err)
	assert.Len(t, strings.Split(strings.TrimSpace(string(out)), "\n"), len(results))
	assert.Contains(t, string(out), "ok      receivers::ccaas_ws/realtime preflight: the platform supports v2.realtime-events\n")
}

func TestDoctor_FindsFaults(t *testing.T) {
	t.Parallel()
	p := newCheckedPlatform(t)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	const realtime, topics, queues = "receivers::ccaas_ws/realtime", "receivers::ccaas_ws/notifications", "receivers::ccaas_ws/queues"
	receivers := []string{realtime, topics, queues}
	for name, fault := range map[string]struct {
		environment map[string]string
		trouble     func(*sim.Trouble)
		channels    int      // of another reader with the same client
		in          []string // components whose check fails
		check       string
		exporter    bool   // that the exporter's does, too
		text        string // what a person must do
	}{
		"a host that has no address":       {environment: map[string]string{"REALTIME": "wss://no-such-host.invalid"}, in: []string{realtime}, check: "dns", text: "check region or endpoint, and the name servers"},
		"a port where nothing listens":     {environment: map[string]string{"REALTIME": "wss://127.0.0.1:1"}, in: []string{realtime}, check: "tcp", text: "check host and port, and that a firewall lets this machine through"},
		"a certificate of an unknown CA":   {trouble: func(c *sim.Trouble) { c.Certificate = "untrusted" }, in: receivers, check: "tls", exporter: true, text: "put the CA that signed it into tls::ca_file"},
		"a certificate that has expired":   {trouble: func(c *sim.Trouble) { c.Certificate = "expired" }, in: receivers, check: "tls", exporter: true, text: "it has to be renewed"},
		"a certificate of another host":    {trouble: func(c *sim.Trouble) { c.Certificate = "other-host" }, in: receivers, check: "tls", exporter: true, text: "the certificate is another host's"},
		"a certificate that expires soon":  {trouble: func(c *sim.Trouble) { c.Certificate = "expiring" }, in: receivers, check: "tls", text: "the certificate expires at"},
		"a clock that is off":              {trouble: func(c *sim.Trouble) { c.Skew = 5 * time.Minute }, in: receivers, check: "clock", text: "behind the platform's: synchronize the clock of this machine"},
		"a wrong client secret":            {environment: map[string]string{"CLIENT_SECRET": "wrong"}, in: receivers, check: "token", text: "check oauth2::client_id, client_secret"},
		"a token endpoint that fails":      {trouble: func(c *sim.Trouble) { c.TokenFail = sim.Failure{Status: 503} }, in: receivers, check: "token", text: "503 Service Unavailable"},
		"scopes beyond those requested":    {trouble: scopes("analytics:realtime:view", "digital:engagement:metrics:read", "admin:all"), in: []string{realtime}, check: "scopes", text: "admin:all; take them from the OAuth client"},
		"scopes fewer than requested":      {trouble: scopes("analytics:realtime:view"), in: []string{realtime}, check: "scopes", text: "lacks digital:engagement:metrics:read"},
		"a pre-flight that is not there":   {trouble: func(c *sim.Trouble) { c.PreflightFail = sim.Failure{Status: 404} }, in: []string{realtime}, check: "preflight", text: "check region or endpoint, and preflight::path"},
		"no common subprotocol":            {environment: map[string]string{"SUBPROTOCOL": "v9.realtime-events"}, in: []string{realtime}, check: "preflight", text: "no common protocol"},
		"a permission of a topic":          {trouble: missing("conversation:message:view"), in: []string{topics, queues}, check: "topics", text: "grant its role conversation:message:view"},
		"a permission of the queues":       {trouble: missing("routing:queue:view"), in: []string{queues}, check: "queues", text: "grant the OAuth client's role routing:queue:view"},
		"a topic that does not exist":      {environment: map[string]string{"TOPIC": "v2.routing.queue.x.conversations"}, in: []string{topics}, check: "topics", text: "no such topic"},
		"channels of other readers":        {channels: 20, in: []string{topics, queues}, check: "channels", text: "20 of 20 are in use"},
		"an exporter that does not answer": {environment: map[string]string{"EXPORTER": "http://127.0.0.1:1"}, in: []string{"exporters::webhook"}, check: "answers", text: "connection refused; check the address"},
		"storage below a file":             {environment: map[string]string{"STATE": filepath.Join(file, "state")}, in: []string{"config"}, check: "valid", text: "extensions::file_storage: directory: "},
		"a configuration that is wrong":    {environment: map[string]string{"REALTIME": "wss://<your-host>"}, in: []string{"config"}, check: "valid", text: "is a placeholder"},
	} {
		t.Run(name, func(t *testing.T) { // one after another: they share the platform
			if fault.trouble != nil {
				require.NoError(t, p.platform.Trouble(fault.trouble))
			}
			defer func() { require.NoError(t, p.platform.Trouble(func(c *sim.Trouble) { *c = sim.DefaultTrouble() })) }()
			if fault.channels > 0 {
				p.readers(t, fault.channels)
			}
			results, code := p.examine(t, fault.environment)
			assert.Equal(t, 1, code)
			want, failed := []string{}, []string{}
			for _, component := range fault.in {
				want = append(want, component+" "+fault.check)
			}
			if fault.exporter {
				want = append(want, "exporters::webhook answers")
			}
			for _, result := range results {
				if result.Status != diagnosis.Failed {
					continue
				}
				failed = append(failed, result.Component+" "+result.Check)
				if result.Check == fault.check {
					assert.Contains(t, result.Text, fault.text)
				}
			}
			assert.ElementsMatch(t, want, failed, "%+v", results)
		})
	}
}

func scopes(granted ...string) func(*sim.Trouble) {
	return func(c *sim.Trouble) { c.AnswerScopes = granted }
}

func missing(permission string) func(*sim.Trouble) {
	return func(c *sim.Trouble) { c.MissingPermissions = []string{permission} }
}

// readers creates channels of another reader with the client of the configuration. They are
// gone when the test ends.
func (p *checkedPlatform) readers(t *testing.T, channels int) {
	t.Helper()
	authorities := x509.NewCertPool()
	require.True(t, authorities.AppendCertsFromPEM(p.platform.Certificate()))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}}}
	defer client.CloseIdleConnections()
	config := clientcredentials.Config{ClientID: "doctor", ClientSecret: doctorSecret, TokenURL: p.platform.URL() + "/oauth/token"}
	token, err := config.Token(context.WithValue(t.Context(), oauth2.HTTPClient, client))
	require.NoError(t, err)
	for range channels {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.platform.URL()+"/api/v2/notifications/channels", http.NoBody)
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer "+token.AccessToken)
		response, err := client.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusOK, response.StatusCode)
	}
	t.Cleanup(func() {
		require.NoError(t, p.platform.Trouble(func(c *sim.Trouble) { c.ChannelTTL = time.Millisecond }))
		require.Eventually(t, func() bool { return p.platform.Truth().Channels.Open == 0 }, patience, 10*time.Millisecond)
		require.NoError(t, p.platform.Trouble(func(c *sim.Trouble) { *c = sim.DefaultTrouble() }))
	})
}
