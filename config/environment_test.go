// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// operated is the part of a shipped file that says where it listens and which stream it reads.
type operated struct {
	Extensions map[string]any
	Receivers  map[string]struct {
		Platform string
		Endpoint string
		TenantID string `yaml:"tenant_id"`
		Region   string
	}
	Service struct {
		Extensions []string
		Telemetry  struct{ Metrics ownMetrics }
	}
}

type ownMetrics struct {
	Level   string
	Readers []struct {
		Periodic map[string]any
		Pull     *struct {
			Exporter struct {
				Prometheus struct{ Host, Port string }
			}
		}
	}
}

func readOperated(t *testing.T) map[string]operated {
	t.Helper()
	all := map[string]operated{}
	for path := range configurations(t) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var c operated
		require.NoError(t, yaml.Unmarshal(text, &c), path)
		all[path] = c
	}
	return all
}

// Probes are the same for every configuration.
func TestEnvironment_EachHasTheSameHealthCheck(t *testing.T) {
	t.Parallel()
	all := readOperated(t)
	want := all["prometheus-otlp.yaml"].Extensions["health_check"]
	require.NotNil(t, want)
	for path, c := range all {
		assert.Equal(t, want, c.Extensions["health_check"], path)
		assert.Contains(t, c.Service.Extensions, "health_check", path)
	}
}

// The stream is named by the environment: a variable that one file reads and another ignores sends credentials to
// another region's hosts.
func TestEnvironment_NamesTheStream(t *testing.T) {
	t.Parallel()
	others := map[string]string{ // the endpoint is in another variable
		"custom-twilio-taskrouter.yaml": "TASKROUTER_URL", "estate.yaml ccaas_ws/us": "CCAAS_US_ENDPOINT", "estate.yaml ccaas_ws/eu": "CCAAS_EU_ENDPOINT",
	}
	streams := 0
	for path, c := range readOperated(t) {
		for name, r := range c.Receivers {
			if !strings.HasPrefix(name, "ccaas_ws") || path == "quickstart.yaml" { // the simulator is its stream
				continue
			}
			streams++
			where := path
			if name != "ccaas_ws" {
				where += " " + name
			} else {
				assert.Regexp(t, `^\$\{env:CCAAS_REGION:-[a-z0-9-]+\}$`, r.Region, where)
			}
			assert.Regexp(t, `^\$\{env:CCAAS_TENANT_ID:-[a-z_]+\}$`, r.TenantID, where)
			variable := "CCAAS_ENDPOINT"
			if other := others[where]; other != "" {
				variable = other
			}
			assert.Contains(t, r.Endpoint, "${env:"+variable, where)
			if !regexp.MustCompile(`^(genesys|nice|custom)-`).MatchString(path) {
				assert.Equal(t, "${env:CCAAS_PLATFORM:-genesys_cloud}", r.Platform, where)
			}
		}
	}
	assert.Greater(t, streams, 15)
}

// Several collectors on a host need addresses of their own for their own metrics, too.
func TestEnvironment_MovesOwnMetrics(t *testing.T) {
	t.Parallel()
	for path, c := range readOperated(t) {
		metrics := c.Service.Telemetry.Metrics
		switch path {
		case "quickstart.yaml":
			assert.Equal(t, "none", metrics.Level, path)
			continue
		case "own-telemetry.yaml":
			assert.NotEmpty(t, metrics.Readers, path)
			continue
		case "sidecar.yaml": // the Kubernetes operator adds its own reader, where there is none
			assert.Empty(t, metrics.Readers, path)
			continue
		}
		found := false
		for _, reader := range metrics.Readers {
			if reader.Pull == nil {
				continue
			}
			found = true
			assert.Equal(t, "${env:CCAAS_TELEMETRY:-localhost}", reader.Pull.Exporter.Prometheus.Host, path)
			port := "${env:CCAAS_TELEMETRY_PORT:-8888}"
			if path == "gateway.yaml" { // the Kubernetes operator makes a Service of the number
				port = "8888"
			}
			assert.Equal(t, port, reader.Pull.Exporter.Prometheus.Port, path)
		}
		assert.True(t, found, path)
	}
}

var variable = regexp.MustCompile(`\$\{env:(CCAAS_[A-Z_]+|GATEWAY_[A-Z_]+)`)

// Each variable of the collector itself is in the list of the README.
func TestEnvironment_EachVariableIsListed(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("README.md")
	require.NoError(t, err)
	files, err := filepath.Glob("*.yaml")
	require.NoError(t, err)
	found := 0
	for _, path := range files {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, match := range variable.FindAllStringSubmatch(string(text), -1) {
			found++
			name := strings.Replace(match[1], "CCAAS_EU_CLIENT", "CCAAS_US_CLIENT", 1) // "the same with EU"
			assert.Contains(t, string(list), "`"+name+"`", path)
		}
	}
	assert.Greater(t, found, 100)
}
