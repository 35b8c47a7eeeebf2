// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// defaultSecret is a variable with a default, by the name of one that holds a secret.
var defaultSecret = regexp.MustCompile(`\$\{(?:env:)?[A-Z0-9_]*(?:TOKEN|SECRET|PASSWORD|API_KEY|ACCESS_KEY|ROUTING_KEY|CLIENT_ID|TASKROUTER_URL|SLACK_WEBHOOK_URL)[A-Z0-9_]*:?-[^}]*\}`)

// No file that is shipped has a default for a secret.
func TestValidateNoSecretHasADefault(t *testing.T) {
	t.Parallel()
	require.Regexp(t, defaultSecret, "${env:GATEWAY_TOKEN:-none}")
	files := 0
	for _, root := range []string{"../config", "../deploy", "../docs", "../README.md", "../receiver", "../processor", "../connector", "../exporter", "../extension"} {
		require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if name := entry.Name(); entry.IsDir() && (name == "node_modules" || name == "testdata") {
				return fs.SkipDir
			}
			ofConfig := strings.HasPrefix(path, "../config/") || strings.HasPrefix(path, "../deploy/")
			if entry.IsDir() || !ofConfig && filepath.Ext(path) != ".md" {
				return nil
			}
			text, err := os.ReadFile(path)
			files++
			assert.Empty(t, defaultSecret.FindAllString(string(text), -1), path)
			return err
		}))
	}
	assert.Greater(t, files, 40)
}

// A configuration that reads a token does not start without it: an empty token would be one that anybody knows.
func TestConfigurationsWithoutTheirSecretDoNotStart(t *testing.T) {
	t.Parallel()
	for config, secret := range map[string]string{
		"gateway.yaml": "GATEWAY_TOKEN", "sidecar.yaml": "GATEWAY_TOKEN", "elastic.yaml": "ELASTIC_API_KEY", "elastic-bulk.yaml": "ELASTIC_API_KEY",
		"webhook-pagerduty.yaml": "GATEWAY_TOKEN", "webhook-slack.yaml": "SLACK_WEBHOOK_URL", "webhook-servicenow.yaml": "SERVICENOW_CLIENT_SECRET",
		"alerting.yaml": "CCAAS_CLIENT_SECRET", "custom-twilio-taskrouter.yaml": "TASKROUTER_URL",
	} {
		for _, value := range []string{"unset", ""} {
			t.Run(config+" "+value, func(t *testing.T) {
				t.Parallel()
				command := exec.CommandContext(t.Context(), built(t, "otelcol-ccaas"), "--config", "../config/"+config)
				command.Env = []string{"CCAAS_STATE=" + t.TempDir(), "HOME=" + t.TempDir()}
				for _, variable := range someSecrets {
					if !strings.HasPrefix(variable, secret+"=") {
						command.Env = append(command.Env, variable)
					}
				}
				if value == "" {
					command.Env = append(command.Env, secret+"=")
				}
				out, err := command.CombinedOutput()
				require.Error(t, err, "it started")
				assert.Contains(t, string(out), secret, "the variable is named")
				assert.Contains(t, string(out), "invalid configuration")
			})
		}
	}
}

// A gateway takes its own token and no other.
func TestGatewayRefusesWithoutItsToken(t *testing.T) {
	t.Parallel()
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	shipped(t, "gateway.yaml", []string{
		"GATEWAY_LISTEN=" + listen, "GATEWAY_TOKEN=of-the-house", "CCAAS_WEBHOOK=http://127.0.0.1:1", "CCAAS_WEBHOOK_SECRET=" + webhookSecret,
	}, noOwnMetrics)
	post := func(authorization string) (int, error) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+listen+"/v1/logs", strings.NewReader("{}"))
		if err != nil {
			return 0, err
		}
		request.Header.Set("Content-Type", "application/json")
		if authorization != "" {
			request.Header.Set("Authorization", authorization)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return 0, err
		}
		return response.StatusCode, response.Body.Close()
	}
	eventually(t, func() error {
		status, err := post("Bearer of-the-house")
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("status %d", status)
		}
		return err
	})
	for _, authorization := range []string{"", "Bearer none", "Bearer ", "Bearer", "bearer of-the-house", "of-the-house", "Basic of-the-house", "Bearer of-the-house2"} {
		status, err := post(authorization)
		require.NoError(t, err)
		assert.Equal(t, http.StatusUnauthorized, status, "%q", authorization)
	}
}
