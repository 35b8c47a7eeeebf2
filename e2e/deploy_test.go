// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// settings are the values of a unit file's section, by key.
func settings(t *testing.T, path, section string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	found, inside := map[string][]string{}, false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		key, value, isSetting := strings.Cut(line, "=")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			inside = line == "["+section+"]"
		case !isSetting:
			t.Errorf("%s: %q is neither a section nor a setting", path, line)
		case inside:
			found[key] = append(found[key], value)
		}
	}
	return found
}

func TestValidateSystemdUnit(t *testing.T) {
	t.Parallel()
	service := settings(t, "../deploy/systemd/otelcol-ccaas.service", "Service")
	assert.Equal(t, []string{"/usr/bin/otelcol-ccaas --config /etc/otelcol-ccaas/config.yaml"}, service["ExecStart"])
	assert.Equal(t, []string{"/bin/kill -HUP $MAINPID"}, service["ExecReload"])
	assert.Equal(t, "/usr/bin/otelcol-ccaas validate --config /etc/otelcol-ccaas/config.yaml", service["ExecStartPre"][0])
	assert.Equal(t, []string{"on-failure"}, service["Restart"], "a fatal status ends the process with an error")
	assert.Equal(t, []string{"yes"}, service["DynamicUser"])
}

func TestValidateKubernetesProbes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../deploy/kubernetes/probes.yaml")
	require.NoError(t, err)
	type probe struct {
		HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
	}
	var pod struct {
		Spec struct {
			RestartPolicy string `yaml:"restartPolicy"`
			Containers    []struct {
				Ports []struct {
					Name          string
					ContainerPort int `yaml:"containerPort"`
				}
				StartupProbe   probe `yaml:"startupProbe"`
				LivenessProbe  probe `yaml:"livenessProbe"`
				ReadinessProbe probe `yaml:"readinessProbe"`
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &pod))
	require.Len(t, pod.Spec.Containers, 1)
	container := pod.Spec.Containers[0]
	assert.Equal(t, "Always", pod.Spec.RestartPolicy)
	require.Len(t, container.Ports, 1)
	assert.Equal(t, 13133, container.Ports[0].ContainerPort, "where health_check listens")
	for _, p := range []probe{container.StartupProbe, container.LivenessProbe, container.ReadinessProbe} {
		assert.Equal(t, container.Ports[0].Name, p.HTTPGet.Port)
		assert.Equal(t, "/", p.HTTPGet.Path)
	}
}
