#!/usr/bin/env python3
"""Apache Superset as two users of different teams: for each a database is added, a dataset made and a chart's data fetched by its
REST API. Each must show what the same user gets by SQL, and the teams must not see the same.

Env: PGHOST PGPORT PGDATABASE of a demo; SUPERSET_BIN; SUPERSET_DIR, which has superset_config.py."""
import json, os, socket, subprocess, sys, time, urllib.error, urllib.request, uuid

import psycopg2

HOST, PORT, DATABASE = os.environ['PGHOST'], os.environ['PGPORT'], os.environ['PGDATABASE']
BIN, FOLDER = os.environ['SUPERSET_BIN'], os.environ['SUPERSET_DIR']
PASSWORD = 'henna-demo'
TEAMS = ('tmall', 'wecom')
START_SECONDS_MAX = 180
QUERY = 'SELECT channel, count(*), sum(paid_amount) FROM orders GROUP BY channel ORDER BY channel'
ENVIRONMENT = dict(os.environ, SUPERSET_CONFIG_PATH=f'{FOLDER}/superset_config.py', FLASK_APP='superset')
passed = failed = 0


def check(claim, got, expected):
    global passed, failed
    if got == expected:
        passed += 1
        print('ok   ' + claim)
    else:
        failed += 1
        print(f'FAIL {claim}: got {str(got)[:600]}, expected {str(expected)[:600]}')


class Superset:
    def __init__(self):
        if not os.path.exists(f'{FOLDER}/meta.db'):
            admin = ['--username', 'admin', '--firstname', 'a', '--lastname', 'b', '--email', 'a@b.c', '--password', 'admin']
            for verb in (['db', 'upgrade'], ['fab', 'create-admin', *admin], ['init']):
                subprocess.run([BIN, *verb], env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            self.port = free.getsockname()[1]
        with open(f'{FOLDER}/two_teams.log', 'w') as log:
            self.process = subprocess.Popen([BIN, 'run', '-p', str(self.port), '--with-threads'], env=ENVIRONMENT, stdout=log, stderr=log)
        self.token = None
        self.wait()
        status, answer = self.call('POST', '/api/v1/security/login', {'username': 'admin', 'password': 'admin', 'provider': 'db'})
        check('login', status, 200)
        self.token = answer.get('access_token')

    def wait(self):
        deadline = time.time() + START_SECONDS_MAX
        while time.time() < deadline:
            try:
                return urllib.request.urlopen(f'http://127.0.0.1:{self.port}/health', timeout=5)
            except OSError:
                time.sleep(1)
        sys.exit('superset did not start')

    def call(self, method, path, body=None):
        headers = {'Content-Type': 'application/json', 'Referer': 'http://127.0.0.1'}
        if self.token:
            headers['Authorization'] = 'Bearer ' + self.token
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f'http://127.0.0.1:{self.port}{path}', method=method, data=data, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, json.loads(answer.read() or b'{}')
        except urllib.error.HTTPError as error:
            return error.code, {'text': error.read()[:500].decode('utf8', 'replace')}

    def chart(self, user):
        """Rows of a chart by channel, over a dataset of a database that is added for the user."""
        name = f'{user}-{uuid.uuid4().hex[:8]}'
        uri = f'postgresql+psycopg2://{user}:{PASSWORD}@{HOST}:{PORT}/{DATABASE}'
        status, database = self.call('POST', '/api/v1/database/', {'database_name': name, 'sqlalchemy_uri': uri})
        check(f'{user}: database added {database.get("text", "")}', status, 201)
        table = {'database': database.get('id'), 'schema': 'public', 'table_name': 'orders'}
        status, dataset = self.call('POST', '/api/v1/dataset/', table)
        check(f'{user}: dataset made {dataset.get("text", "")}', status, 201)
        total = {'expressionType': 'SIMPLE', 'column': {'column_name': 'paid_amount'}, 'aggregate': 'SUM', 'label': 'total'}
        query = {'columns': ['channel'], 'metrics': ['count', total], 'orderby': [['channel', True]], 'row_limit': 1000, 'filters': []}
        asked = {'datasource': {'id': dataset.get('id'), 'type': 'table'}, 'force': True, 'result_format': 'json',
                 'result_type': 'full', 'queries': [query]}
        status, answer = self.call('POST', '/api/v1/chart/data', asked)
        check(f'{user}: chart data fetched {answer.get("text", "")}', status, 200)
        rows = (answer.get('result') or [{}])[0].get('data', [])
        self.call('DELETE', f'/api/v1/dataset/{dataset.get("id")}')
        return sorted((row['channel'], row['count'], f"{float(row['total']):.2f}") for row in rows)


def by_sql(user):
    with psycopg2.connect(host=HOST, port=PORT, dbname=DATABASE, user=user, password=PASSWORD) as connection:
        with connection.cursor() as cursor:
            cursor.execute(QUERY)
            return [(channel, count, f'{total:.2f}') for channel, count, total in cursor.fetchall()]


def main():
    superset = Superset()
    try:
        seen = {user: superset.chart(user) for user in TEAMS}
        for user in TEAMS:
            check(f'{user} sees in a chart what SQL gives', seen[user], by_sql(user))
        check('the teams see something', all(seen.values()), True)
        check('the teams do not see the same', seen[TEAMS[0]] != seen[TEAMS[1]], True)
    finally:
        superset.process.terminate()
        superset.process.wait(20)
    print(f'\n{passed} passed, {failed} failed, 0 skipped')
    sys.exit(1 if failed else 0)


main()
