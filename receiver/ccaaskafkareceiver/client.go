// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaskafkareceiver

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
	"github.com/twmb/franz-go/plugin/kzap"
	"go.opentelemetry.io/collector/component"
	"go.uber.org/zap"
	"golang.org/x/oauth2"
)

// tokenSource is an extension that provides the tokens of OAUTHBEARER.
type tokenSource interface {
	Token(ctx context.Context) (*oauth2.Token, error)
}

// connect returns the options that all clients share: how the brokers are reached.
func (c *Config) connect(ctx context.Context, host component.Host, logger *zap.Logger) ([]kgo.Opt, error) {
	options := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID(c.ClientID),
		kgo.Rack(c.RackID),
		kgo.WithLogger(kzap.New(logger.Named("kafka").WithOptions(zap.IncreaseLevel(zap.WarnLevel)))),
		kgo.DisableClientMetrics(), // some brokers announce support that they do not have
	}
	if c.TLS.HasValue() {
		security, err := c.TLS.Get().LoadTLSConfig(ctx)
		if err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
		if security != nil { // nil with insecure: true
			options = append(options, kgo.DialTLSConfig(security))
		}
	}
	if c.Auth.SASL.HasValue() {
		mechanism, err := c.Auth.SASL.Get().mechanism(host)
		if err != nil {
			return nil, err
		}
		options = append(options, kgo.SASL(mechanism))
	}
	return options, nil
}

func (c *SASLConfig) mechanism(host component.Host) (sasl.Mechanism, error) {
	password := string(c.Password)
	switch c.Mechanism {
	case saslSHA256:
		return scram.Auth{User: c.Username, Pass: password}.AsSha256Mechanism(), nil
	case saslSHA512:
		return scram.Auth{User: c.Username, Pass: password}.AsSha512Mechanism(), nil
	case saslOAuthBearer:
		extension, ok := host.GetExtensions()[*c.OAuthBearerTokenSource]
		if !ok {
			return nil, fmt.Errorf("auth::sasl::oauthbearer_token_source: %s: there is no such extension; name one of service::extensions", c.OAuthBearerTokenSource)
		}
		source, ok := extension.(tokenSource)
		if !ok {
			return nil, fmt.Errorf("auth::sasl::oauthbearer_token_source: %s: does not provide tokens, as oauth2client does", c.OAuthBearerTokenSource)
		}
		return oauth.Oauth(func(ctx context.Context) (oauth.Auth, error) {
			token, err := source.Token(ctx)
			if err != nil {
				return oauth.Auth{}, err
			}
			return oauth.Auth{Token: token.AccessToken}, nil
		}), nil
	default:
		return plain.Auth{User: c.Username, Pass: password}.AsMechanism(), nil
	}
}
