// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// ofGo are variables that the Go runtime reads, not a configuration.
var ofGo = []string{"GOGC", "GOMEMLIMIT"}

var environmentVariable = regexp.MustCompile(`\$\{env:([A-Z0-9_]+)`)

// variables are the names of the environment that a configuration reads.
func variables(t *testing.T, config string) []string {
	t.Helper()
	text, err := os.ReadFile(config)
	require.NoError(t, err)
	names := map[string]bool{}
	for _, match := range environmentVariable.FindAllStringSubmatch(string(text), -1) {
		names[match[1]] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// assertRead fails for a name of the environment that the configuration does not read.
func assertRead(t *testing.T, config string, names []string) {
	t.Helper()
	read := append(variables(t, config), ofGo...)
	for _, name := range names {
		assert.Contains(t, read, name, "%s does not read %s", config, name)
	}
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, into), path)
}

// service is one of a compose file.
type service struct {
	Image       string
	Build       struct{ Context, Dockerfile, Target string }
	Command     []string
	Environment map[string]string
	Volumes     []string
	Ports       []string
	DependsOn   []string `yaml:"depends_on"`
}

// The compose stack mounts what is there, sets what is read, and publishes on
// loopback alone.
func TestValidateCompose(t *testing.T) {
	t.Parallel()
	const folder = "../deploy/compose"
	var stack struct {
		Services map[string]service
		Volumes  map[string]any
	}
	readYAML(t, folder+"/compose.yaml", &stack)
	for name, s := range stack.Services {
		for _, mount := range s.Volumes {
			source, _, _ := strings.Cut(mount, ":")
			if strings.HasPrefix(source, ".") {
				_, err := os.Stat(filepath.Join(folder, source))
				assert.NoError(t, err, "%s mounts it", name)
				continue
			}
			assert.Contains(t, stack.Volumes, source, "%s mounts it", name)
		}
		for _, port := range s.Ports {
			assert.True(t, strings.HasPrefix(port, "127.0.0.1:"), "%s publishes %s", name, port)
		}
		for _, other := range s.DependsOn {
			assert.Contains(t, stack.Services, other, "%s depends on it", name)
		}
		if s.Build.Dockerfile != "" {
			assert.FileExists(t, filepath.Join(folder, s.Build.Context, s.Build.Dockerfile))
			assert.Contains(t, targets(t), s.Build.Target)
		}
		config, mounted := configOf(s)
		if mounted {
			assertRead(t, filepath.Join(folder, config), slices.Collect(maps.Keys(s.Environment)))
		}
	}
	assert.Equal(t, "http://mimir:9009", stack.Services["collector"].Environment["MIMIR_URL"])
	assert.Equal(t, "http://loki:3100", stack.Services["collector"].Environment["LOKI_URL"])
	assert.Equal(t, "http://tempo:4318", stack.Services["collector"].Environment["TEMPO_URL"])
}

// configOf is the collector's configuration that a service mounts.
func configOf(s service) (string, bool) {
	for _, mount := range s.Volumes {
		source, target, _ := strings.Cut(mount, ":")
		if strings.HasPrefix(target, "/etc/otelcol-ccaas/config.yaml") {
			return source, true
		}
	}
	return "", false
}

func targets(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../deploy/docker/Dockerfile")
	require.NoError(t, err)
	var names []string
	for _, match := range regexp.MustCompile(`(?m)^FROM \S+ AS (\S+)$`).FindAllStringSubmatch(string(text), -1) {
		names = append(names, match[1])
	}
	return names
}

// What stands behind the collector listens where it is looked for, and keeps what
// it is meant to keep.
func TestValidateBackends(t *testing.T) {
	t.Parallel()
	var mimir struct {
		Server struct {
			Port int `yaml:"http_listen_port"`
		}
		Limits struct {
			Suffixes  bool   `yaml:"otel_metric_suffixes_enabled"`
			Retention string `yaml:"compactor_blocks_retention_period"`
			Series    int    `yaml:"max_global_series_per_user"`
		}
	}
	readYAML(t, "../deploy/compose/mimir.yaml", &mimir)
	assert.Equal(t, 9009, mimir.Server.Port)
	assert.True(t, mimir.Limits.Suffixes, "else Mimir's names are not the dashboards'")
	assert.Equal(t, "90d", mimir.Limits.Retention)
	assert.Greater(t, mimir.Limits.Series, 10_000*(16+3*3), "max_series series of the windows' metrics, and of three rules")

	var loki struct {
		Server struct {
			Port int `yaml:"http_listen_port"`
		}
		Limits struct {
			Retention string `yaml:"retention_period"`
			OTLP      struct {
				Attributes struct {
					Config []struct {
						Action     string
						Attributes []string
					} `yaml:"attributes_config"`
				} `yaml:"resource_attributes"`
			} `yaml:"otlp_config"`
		} `yaml:"limits_config"`
		Ingester struct {
			ChunkAge time.Duration `yaml:"max_chunk_age"`
		}
		Compactor struct {
			Retention bool          `yaml:"retention_enabled"`
			Interval  time.Duration `yaml:"compaction_interval"`
			Delay     time.Duration `yaml:"retention_delete_delay"`
		}
	}
	readYAML(t, "../deploy/compose/loki.yaml", &loki)
	assert.Equal(t, 3100, loki.Server.Port)
	assert.Equal(t, "24h", loki.Limits.Retention)
	assert.True(t, loki.Compactor.Retention, "else nothing is ever deleted")
	for name, step := range map[string]time.Duration{
		"max_chunk_age": loki.Ingester.ChunkAge, "compaction_interval": loki.Compactor.Interval, "retention_delete_delay": loki.Compactor.Delay,
	} {
		assert.Positive(t, step, name)
	}
	assert.Less(t, loki.Ingester.ChunkAge+loki.Compactor.Interval+loki.Compactor.Delay, time.Hour, "no event is older than 25 hours")
	require.Len(t, loki.Limits.OTLP.Attributes.Config, 1)
	assert.Subset(t, loki.Limits.OTLP.Attributes.Config[0].Attributes, []string{"tenant_id", "region", "channel_type"})

	telegraf, err := os.ReadFile("../deploy/telegraf/telegraf.conf")
	require.NoError(t, err)
	assert.Contains(t, string(telegraf), `service_address = "tcp://127.0.0.1:1234"`, "where config/telegraf.yaml sends")
	assert.Contains(t, string(telegraf), `paths = ["/receive"]`)
}

// The image has what the configurations listen on, is not root's, and runs the
// binary that is built.
func TestValidateDockerfile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../deploy/docker/Dockerfile")
	require.NoError(t, err)
	for _, port := range []string{"13133", "4318", "8888"} {
		assert.Regexp(t, `(?m)^EXPOSE .*\b`+port+`\b`, string(text))
	}
	for _, line := range regexp.MustCompile(`(?m)^COPY (\S+) (\S+)$`).FindAllStringSubmatch(string(text), -1) {
		_, err := os.Stat(filepath.Join("..", line[1]))
		require.NoError(t, err, "it is copied")
	}
	assert.NotRegexp(t, `(?m)^USER (root|0)`, string(text))
	assert.Contains(t, string(text), `ENTRYPOINT ["/otelcol-ccaas"]`)
	assert.Equal(t, []string{"build", "simulator", "collector"}, targets(t))
}
