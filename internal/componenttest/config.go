// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package componenttest

import (
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
)

// FuzzConfig fuzzes YAML: any text is either rejected as a configuration or gives one
// that use, which makes the component, accepts.
func FuzzConfig[C component.Config](f *testing.F, createDefault func() component.Config, use func(t *testing.T, config C), seeds ...string) {
	f.Helper()
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		retrieved, err := confmap.NewRetrievedFromYAML([]byte(text))
		if err != nil {
			return
		}
		conf, err := retrieved.AsConf()
		config := createDefault()
		if err != nil || conf.Unmarshal(config) != nil || confmap.Validate(config) != nil {
			return
		}
		use(t, config.(C))
	})
}
