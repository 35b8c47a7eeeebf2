// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/url"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

// tokens returns the receiver's source of tokens; nil: none are requested.
func (e *Environment) tokens(c *Config, at func(context.Context) (*url.URL, *wsclient.Failure)) *wsclient.Tokens {
	o := &c.OAuth2
	if o.ClientID == "" {
		return nil
	}
	var expires atomic.Int64 // unix ns; 0: never, or no token yet
	err := e.Telemetry.RegisterCcaasWsTokenRemainingCallback(func(_ context.Context, to metric.Float64Observer) error {
		if until := expires.Load(); until != 0 {
			to.Observe(max(time.Until(time.Unix(0, until)).Seconds(), 0))
		}
		return nil
	})
	if err != nil {
		e.Logger.Warn("Cannot register the metric of the token's remaining lifetime", zap.Error(err))
	}
	return wsclient.NewTokens(wsclient.Credentials{
		ClientID: o.ClientID, ClientSecret: string(o.ClientSecret),
		Username: o.Username, Password: string(o.Password),
		TokenURL: at, Scopes: o.Scopes, Accepted: o.ExtraScopes, Strict: o.StrictScopes,
	}, e.Client, func(grant wsclient.Grant) {
		e.Telemetry.CcaasWsTokenRefreshes.Add(context.Background(), 1)
		expires.Store(0)
		if !grant.Expires.IsZero() {
			expires.Store(grant.Expires.UnixNano())
		}
		if e.Granted != nil {
			e.Granted(grant)
		}
		if len(grant.ExcessScopes) > 0 {
			e.Logger.Warn("The token has more scopes than requested, and its requests share the quota of the client's other users; "+
				"use a dedicated OAuth client without these scopes. oauth2::strict_scopes: true refuses such tokens",
				zap.Strings("excess_scopes", wsclient.TruncateList(grant.ExcessScopes)), zap.Strings("requested", o.Scopes))
		}
	})
}
