// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaskafkareceiver

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configtls"
	"go.uber.org/zap"
	"golang.org/x/oauth2"

	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
)

// asks returns the error of a request by a client with this configuration.
func asks(t *testing.T, config *Config, host component.Host) error {
	t.Helper()
	options, err := config.connect(t.Context(), host, zap.NewNop())
	require.NoError(t, err)
	client, err := kgo.NewClient(options...)
	require.NoError(t, err)
	defer client.Close()
	_, err = kadm.NewClient(client).ListTopics(t.Context())
	return err
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	cluster := startKafka(t, kfake.EnableSASL(),
		kfake.User(saslPlain, "plain", "hush"), kfake.User(saslSHA256, "sha256", "hush"), kfake.User(saslSHA512, "sha512", "hush"))
	for name, c := range map[string]struct {
		mechanism, password string
		good                bool
	}{
		"plain":  {saslPlain, "hush", true},
		"sha256": {saslSHA256, "hush", true},
		"sha512": {saslSHA512, "hush", true},
		"wrong":  {saslPlain, "loud", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := configFor(cluster)
			config.Auth.SASL = configoptional.Some(SASLConfig{Mechanism: c.mechanism, Username: name, Password: configopaque.String(c.password)})
			if c.good {
				require.NoError(t, asks(t, config, componenttest.NewNopHost()))
			} else {
				require.Error(t, asks(t, config, componenttest.NewNopHost()))
			}
		})
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(nil) // for its certificate
	defer server.Close()
	cluster := startKafka(t, kfake.TLS(&tls.Config{Certificates: server.TLS.Certificates, MinVersion: tls.VersionTLS12}))
	config := configFor(cluster)
	security := configtls.NewDefaultClientConfig()
	security.CAPem = configopaque.String(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	security.ServerName = "example.com"
	config.TLS = configoptional.Some(security)
	require.NoError(t, asks(t, config, componenttest.NewNopHost()))

	security.CAPem = ""
	security.CAFile = "testdata/none.pem"
	config.TLS = configoptional.Some(security)
	_, err := config.connect(t.Context(), componenttest.NewNopHost(), zap.NewNop())
	require.ErrorContains(t, err, "tls: ")
}

// tokens is an extension that has one.
type tokens struct {
	component.StartFunc
	component.ShutdownFunc
}

func (tokens) Token(context.Context) (*oauth2.Token, error) {
	return &oauth2.Token{AccessToken: "a token"}, nil
}

func TestTokens(t *testing.T) {
	t.Parallel()
	id := component.MustNewID("oauth2client")
	config := createDefaultConfig().(*Config)
	config.Auth.SASL = configoptional.Some(SASLConfig{Mechanism: saslOAuthBearer, OAuthBearerTokenSource: &id})
	_, err := config.connect(t.Context(), componenttest.NewNopHost(), zap.NewNop())
	require.ErrorContains(t, err, "auth::sasl::oauthbearer_token_source: oauth2client: there is no such extension")
	_, err = config.connect(t.Context(), owntest.NewHostWith(map[component.ID]component.Component{id: struct {
		component.StartFunc
		component.ShutdownFunc
	}{}}), zap.NewNop())
	require.ErrorContains(t, err, "does not provide tokens")

	mechanism, err := config.Auth.SASL.Get().mechanism(owntest.NewHostWith(map[component.ID]component.Component{id: tokens{}}))
	require.NoError(t, err)
	assert.Equal(t, "OAUTHBEARER", mechanism.Name())
	_, greeting, err := mechanism.Authenticate(t.Context(), "broker")
	require.NoError(t, err)
	assert.Contains(t, string(greeting), "a token")
}
