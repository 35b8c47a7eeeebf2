// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// variable is an entry of a list of variables, mounts or volumes.
type variable struct{ Name, Value string }

// securityContext is what every pod of ours is held to.
type securityContext struct {
	AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
	ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
}

func (c securityContext) assertSafe(t *testing.T) {
	t.Helper()
	require.NotNil(t, c.AllowPrivilegeEscalation)
	assert.False(t, *c.AllowPrivilegeEscalation)
	assert.True(t, c.ReadOnlyRootFilesystem)
}

func variableNames(list []variable) []string {
	all := make([]string, 0, len(list))
	for _, one := range list {
		all = append(all, one.Name)
	}
	return all
}

func valueOf(list []variable, name string) string {
	for _, one := range list {
		if one.Name == name {
			return one.Value
		}
	}
	return ""
}

// The chart's values set what the configuration of the same name reads, and keep
// the state on a volume.
func TestValidateHelmValues(t *testing.T) {
	t.Parallel()
	files := matching(t, "../deploy/kubernetes/helm/*.yaml")
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			var values struct {
				Mode      string
				Command   struct{ Name string }
				ConfigMap struct {
					Create       bool
					ExistingName string `yaml:"existingName"`
				} `yaml:"configMap"`
				ExtraEnvs       []variable      `yaml:"extraEnvs"`
				Mounts          []mount         `yaml:"extraVolumeMounts"`
				SecurityContext securityContext `yaml:"securityContext"`
				Ports           map[string]struct {
					Enabled       bool
					ContainerPort int `yaml:"containerPort"`
				}
			}
			readYAML(t, file, &values)
			config := strings.TrimPrefix(values.ConfigMap.ExistingName, "otelcol-ccaas-") + ".yaml"
			assertRead(t, "../config/"+config, variableNames(values.ExtraEnvs))
			assert.Equal(t, "otelcol-ccaas", values.Command.Name, "the binary of the image")
			assert.Equal(t, "$(MY_POD_IP):13133", valueOf(values.ExtraEnvs, "CCAAS_HEALTH"), "where the chart's probes ask")
			values.SecurityContext.assertSafe(t)
			if state := valueOf(values.ExtraEnvs, "CCAAS_STATE"); state != "" {
				assert.Equal(t, []mount{{Name: "state", Path: state}}, values.Mounts)
			}
			if values.Ports["otlp-http"].Enabled {
				assert.Equal(t, "$(MY_POD_IP):4318", valueOf(values.ExtraEnvs, "GATEWAY_LISTEN"))
				assert.Equal(t, 4318, values.Ports["otlp-http"].ContainerPort)
			}
		})
	}
}

type mount struct {
	Name string
	Path string `yaml:"mountPath"`
}

// The operator's resources carry the configurations of config/ as they are.
func TestValidateOperatorResources(t *testing.T) {
	t.Parallel()
	files := matching(t, "../deploy/kubernetes/operator/*.yaml")
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			var resource struct {
				APIVersion string `yaml:"apiVersion"`
				Kind       string
				Spec       struct {
					Env             []variable
					VolumeMounts    []mount         `yaml:"volumeMounts"`
					SecurityContext securityContext `yaml:"securityContext"`
					Config          map[string]any
				}
			}
			readYAML(t, file, &resource)
			assert.Equal(t, "opentelemetry.io/v1beta1", resource.APIVersion)
			assert.Equal(t, "OpenTelemetryCollector", resource.Kind)
			var config map[string]any
			readYAML(t, "../config/"+filepath.Base(file), &config)
			assert.Equal(t, config, resource.Spec.Config, "spec.config is the configuration of the same name")
			assertRead(t, "../config/"+filepath.Base(file), variableNames(resource.Spec.Env))
			resource.Spec.SecurityContext.assertSafe(t)
			if state := valueOf(resource.Spec.Env, "CCAAS_STATE"); state != "" {
				assert.Equal(t, []mount{{Name: "state", Path: state}}, resource.Spec.VolumeMounts)
			}

			text, err := yaml.Marshal(resource.Spec.Config)
			require.NoError(t, err)
			path := filepath.Join(t.TempDir(), "config.yaml")
			require.NoError(t, os.WriteFile(path, text, 0o600))
			validate(t, path)
		})
	}
}
