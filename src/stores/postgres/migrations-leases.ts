/**
 * The migration that added leases of credits (leases.ts), as part of MIGRATIONS (migrations.ts). Never change a released step: append a new one
 * there.
 */
export const LEASE_MIGRATIONS: readonly string[] = [
  `
  -- micro_credits and pico_usd: part of what the workspace holds, as by a request in flight. micro_credits_spent: charged since the workspace's
  -- own row was brought up to date; limited: taken from its balance then. So are the fraction and what was spent on the last day and in the
  -- last month. asked: counts what the process has asked for, so that what arrives late changes nothing.
  CREATE TABLE @leases (
    workspace             text NOT NULL,
    process               text NOT NULL REFERENCES @instances (id),
    asked                 bigint NOT NULL DEFAULT 0,
    micro_credits         bigint NOT NULL DEFAULT 0,
    micro_credits_spent   bigint NOT NULL DEFAULT 0 CHECK (micro_credits_spent BETWEEN 0 AND micro_credits),
    pico_usd              bigint NOT NULL DEFAULT 0 CHECK (pico_usd >= 0),
    limited               boolean NOT NULL DEFAULT true,
    femto_credits_prepaid bigint NOT NULL DEFAULT 0,
    spent_day             text COLLATE "C" NOT NULL DEFAULT '',
    spent_day_pico_usd    bigint NOT NULL DEFAULT 0,
    spent_month           text COLLATE "C" NOT NULL DEFAULT '',
    spent_month_pico_usd  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace, process)
  ) WITH (fillfactor = 50);
  CREATE INDEX leases_by_process ON @leases (process);

  -- Brings the workspace's row up to date, and makes the lease as large as what is to be kept of it (null: what is left) and as much more as
  -- a quarter of what nobody holds has; nothing more where that is less than least_credits. Locks, in this order everywhere: process, workspace, lease.
  CREATE FUNCTION @lease(
    of_workspace text, of_process text, asking bigint, keep_credits bigint, keep_usd bigint, more_credits bigint, more_usd bigint, least_credits bigint
  ) RETURNS TABLE (asked_last bigint, leased_credits bigint, leased_usd bigint) LANGUAGE plpgsql AS $$
  DECLARE
    own @workspaces%ROWTYPE;
    was @leases%ROWTYPE;
    taken bigint;
    others bigint;
    room bigint;
    kept bigint;
    more bigint;
  BEGIN
    PERFORM 1 FROM @instances i WHERE i.id = of_process FOR KEY SHARE;
    IF NOT FOUND THEN RETURN; END IF;
    SELECT * INTO own FROM @workspaces w WHERE w.name = of_workspace FOR UPDATE;
    IF NOT FOUND THEN RETURN; END IF;
    INSERT INTO @leases (workspace, process) VALUES (of_workspace, of_process) ON CONFLICT DO NOTHING;
    SELECT * INTO was FROM @leases l WHERE l.workspace = of_workspace AND l.process = of_process FOR UPDATE;
    IF asking <= was.asked THEN
      RETURN QUERY SELECT was.asked, NULL::bigint, NULL::bigint;
      RETURN;
    END IF;
    taken := CASE WHEN was.limited AND own.micro_credits IS NOT NULL THEN least(was.micro_credits_spent, own.micro_credits) ELSE 0 END;
    others := own.micro_credits_held - was.micro_credits;
    kept := coalesce(keep_credits, was.micro_credits - was.micro_credits_spent);
    more := more_credits;
    IF own.micro_credits IS NOT NULL THEN
      room := greatest(own.micro_credits - taken - others, 0);
      kept := least(kept, room);
      more := least(more, (room - kept) / 4);
    END IF;
    IF more < least_credits THEN more := 0; END IF;
    UPDATE @workspaces w SET
      micro_credits = w.micro_credits - taken,
      micro_credits_held = others + kept + more,
      pico_usd_held = w.pico_usd_held - was.pico_usd + coalesce(keep_usd, was.pico_usd) + CASE WHEN more > 0 THEN more_usd ELSE 0 END,
      femto_credits_prepaid = CASE WHEN kept + more > 0 THEN 0 ELSE w.femto_credits_prepaid + was.femto_credits_prepaid END,
      spent_day = greatest(w.spent_day, was.spent_day),
      spent_day_pico_usd = CASE WHEN was.spent_day > w.spent_day THEN 0 ELSE w.spent_day_pico_usd END
        + CASE WHEN was.spent_day < w.spent_day THEN 0 ELSE was.spent_day_pico_usd END,
      spent_month = greatest(w.spent_month, was.spent_month),
      spent_month_pico_usd = CASE WHEN was.spent_month > w.spent_month THEN 0 ELSE w.spent_month_pico_usd END
        + CASE WHEN was.spent_month < w.spent_month THEN 0 ELSE was.spent_month_pico_usd END
    WHERE w.name = of_workspace;
    RETURN QUERY UPDATE @leases l SET
      asked = coalesce(asking, l.asked),
      micro_credits = kept + more,
      micro_credits_spent = 0,
      pico_usd = coalesce(keep_usd, l.pico_usd) + CASE WHEN more > 0 THEN more_usd ELSE 0 END,
      limited = own.micro_credits IS NOT NULL,
      femto_credits_prepaid = CASE WHEN kept + more > 0 THEN l.femto_credits_prepaid + own.femto_credits_prepaid ELSE 0 END,
      spent_day_pico_usd = 0,
      spent_month_pico_usd = 0
    WHERE l.workspace = of_workspace AND l.process = of_process
    RETURNING l.asked, l.micro_credits, l.pico_usd;
  END $$;

  -- However a process is struck off, and by whichever release: what it had leased and not spent is free again, once.
  CREATE FUNCTION @end_leases() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM @lease(l.workspace, l.process, NULL, 0, 0, 0, 0, 0) FROM (SELECT * FROM @leases WHERE process = OLD.id ORDER BY workspace) l;
    DELETE FROM @leases WHERE process = OLD.id;
    RETURN OLD;
  END $$;
  CREATE TRIGGER instances_end BEFORE DELETE ON @instances FOR EACH ROW EXECUTE FUNCTION @end_leases();
  `,
];
