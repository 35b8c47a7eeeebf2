// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const rulesFolder = "../deploy/prometheus/rules"

func promtool(t *testing.T, arguments ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), built(t, "promtool"), arguments...).CombinedOutput()
	require.NoError(t, err, string(out))
}

func TestRules(t *testing.T) {
	t.Parallel()
	tests := matching(t, rulesFolder+"/testdata/*_test.yaml")
	promtool(t, "check", "rules", "--lint=all", "--lint-fatal", rulesFolder+"/ccaas.yaml")
	promtool(t, append([]string{"test", "rules"}, tests...)...)
}

// Every alert is tested, and says to whom it matters, why, and where to look.
func TestAlertRulesAreComplete(t *testing.T) {
	t.Parallel()
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert       string
				Labels      map[string]string
				Annotations map[string]string
			}
		}
	}
	readYAML(t, rulesFolder+"/ccaas.yaml", &rules)
	var tested strings.Builder
	for _, test := range matching(t, rulesFolder+"/testdata/*_test.yaml") {
		text, err := os.ReadFile(test)
		require.NoError(t, err)
		tested.Write(text)
	}
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			if rule.Alert == "" {
				continue
			}
			assert.Contains(t, tested.String(), "alertname: "+rule.Alert)
			assert.NotEmpty(t, rule.Labels["severity"], rule.Alert)
			for _, annotation := range []string{"summary", "description", "dashboard"} {
				assert.NotEmpty(t, rule.Annotations[annotation], rule.Alert)
			}
		}
	}
}
