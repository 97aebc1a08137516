/*
 * Words for the demo data of discovery and messaging, in several languages and scripts: texts that
 * a search has to find by stem, without accents, by a beginning or with a typing error.
 *
 * In a frame `{}` stands for a subject, `{name}` for the name of some project. Invented names keep
 * the vocabulary growing with the scale, as real ones do.
 */
import type { Random } from './demo-random.ts';

export interface DemoLanguage {
  /** How often it is chosen, against the others. */
  weight: number;
  /** What a project is; stands in the middle of a sentence. */
  subjects: string[];
  taglines: string[];
  sentences: string[];
  comments: string[];
  replies: string[];
  postTitles: string[];
  posts: string[];
  messages: string[];
  headlines: string[];
  /** What an investor looks for. */
  theses: string[];
  /** What a project's name may end with. */
  endings: string[];
  separator: string;
}

export const LANGUAGES: DemoLanguage[] = [
  {
    weight: 10,
    subjects: [
      'a map of quiet places',
      'a library of repair manuals',
      'a calendar for neighbourhood gardens',
      'an invoice tool for freelancers',
      'a bike computer without an account',
      'a tutor for chemistry lessons',
      'a register of public contracts',
      'a recorder for oral histories',
      'a marketplace for used instruments',
      'a dashboard for small wind turbines',
      'a translator for medical letters',
      'a shared shopping list',
      'a simulator for traffic lights',
      'a card game about elections',
    ],
    taglines: [
      '{} that works offline',
      '{}, built in the open',
      '{} for people who have no time',
      'Finally {} that respects its users',
      '{} you can host yourself',
      '{} for teams of two to ten',
    ],
    sentences: [
      'We began with {} because nothing else worked on our old phones.',
      'Everything runs in the browser and stores nothing on our servers.',
      'The first version was written in three weekends and used by forty families.',
      'It learned a lot from {name}, and does one thing differently.',
      'Connected sensors report every minute, and the history is kept for years.',
      'We are looking for translators, testers and somebody who knows accounting.',
      'Pricing is simple: free for individuals, a fixed fee for organisations.',
      'The data can be exported at any time, in formats that other programs read.',
      'Next we are adding notifications, and a mode for slow connections.',
      'Schools in four countries have been running it since last winter.',
    ],
    comments: [
      'I have used {name} before; this is much faster.',
      'How does it behave when the connection breaks in the middle?',
      'The onboarding took me two minutes. Well done!',
      'Please add an export to plain text files.',
      'I found a bug: the second page stays empty on tablets.',
      'Is the source published somewhere?',
      'We run it at our school and the pupils love it.',
      'The pricing page could say more about cancelling.',
      'Congratulations on the launch!',
      'Would you consider an interface in Welsh? I can help translating.',
    ],
    replies: [
      'Thank you! It will be in the next release.',
      'That is a known problem, we are working on it.',
      'Yes, see the link in the description.',
      'Could you send me the steps to reproduce it?',
      'I had the same question.',
      'Good idea, I have put it on the list.',
    ],
    postTitles: [
      'How do you find your first hundred users?',
      'Which licence did you choose, and why?',
      'Introduce yourself',
      'Looking for a designer with an eye for maps',
      'What we learned from {name}',
      'Monthly meeting: notes',
    ],
    posts: [
      'I would like to hear how others have solved this before we spend another month on it.',
      'We wrote down everything that went wrong in the first year. The biggest mistake was hiring.',
      'Bring your own questions; the recordings are published two days later.',
      'Our numbers doubled after {name} mentioned us, and then the servers went down.',
      'Has anybody tried charging from the first day? We are afraid of losing the early testers.',
    ],
    messages: [
      'Hi! I saw your project and would love to talk.',
      'Sure, what about Thursday at four?',
      'Thanks, that helped a lot.',
      'Did you get my last message?',
      'I sent you the draft. Tell me what you think.',
      'The demo went well, they want to see the numbers.',
      'Sorry for the late answer, we were moving.',
      'Sounds good to me.',
      'Can you send me the link again?',
      'Let us keep it simple and ship what we have.',
      'Who else should be in this group?',
      'I tried {name}: nice, but it needs a keyboard.',
      'See you there!',
      'Happy to introduce you to her.',
    ],
    headlines: [
      'Builds small tools for big families',
      'Product designer, former baker',
      'Backend engineer who likes boring databases',
      'Teacher, writes software in the holidays',
      'Researcher on public transport',
      'Founder, twice failed, still curious',
    ],
    theses: [
      'We invest in tools that people still use after the first month.',
      'Early, patient and with our own hands: we help with hiring and pricing.',
      'Climate, health and education; no advertising.',
      'We like unfashionable markets and founders who know them from inside.',
    ],
    endings: ['Atlas', 'Notes', 'Works', 'Garden', 'Lab', 'Desk', 'Signals', 'Box'],
    separator: ' ',
  },
  {
    weight: 2,
    subjects: [
      'une carte des lieux silencieux',
      'un agenda pour les jardins partagés',
      'un outil de facturation pour indépendants',
      'une bibliothèque de modes d’emploi',
      'un tuteur pour les leçons de chimie',
      'un registre des marchés publics',
    ],
    taglines: ['{}, sans publicité', '{} qui marche hors connexion', '{} pour les associations'],
    sentences: [
      'Nous avons commencé par {}, faute de mieux sur nos vieux téléphones.',
      'Les données restent chez vous et peuvent être exportées à tout moment.',
      'Plusieurs écoles et médiathèques l’utilisent déjà depuis l’été dernier.',
      'Le projet doit beaucoup à {name}, que nous recommandons vivement.',
      'Nous cherchons des bénévoles pour la traduction et l’accessibilité.',
    ],
    comments: [
      'Très réussi, la prise en main est immédiate.',
      'Où se trouve le code source ?',
      'Je préférais {name}, mais j’ai changé d’avis.',
      'Pourriez-vous ajouter une version pour tablettes ?',
      'Félicitations pour le lancement !',
    ],
    replies: ['Merci beaucoup !', 'C’est prévu pour la prochaine version.', 'Bonne idée.'],
    postTitles: ['Comment trouver ses premiers utilisateurs ?', 'Présentez-vous ici'],
    posts: [
      'J’aimerais savoir comment vous avez réglé cette question avant d’y passer un mois.',
      'Nous avons tout noté : ce qui a marché, et surtout ce qui a échoué.',
    ],
    messages: [
      'Bonjour ! J’aimerais en savoir plus sur votre projet.',
      'Parfait, à jeudi alors.',
      'Merci, c’est très gentil.',
      'Je vous envoie le brouillon ce soir.',
      'Désolé pour la réponse tardive.',
      'Ça marche pour moi.',
    ],
    headlines: ['Développeuse, entre Lyon et Liège', 'Bibliothécaire et bricoleur'],
    theses: ['Nous accompagnons les équipes dès la première idée, sans calendrier imposé.'],
    endings: ['Atelier', 'Carnet', 'Lumière', 'Éclair'],
    separator: ' ',
  },
  {
    weight: 2,
    subjects: [
      'un mapa de lugares tranquilos',
      'una biblioteca de manuales de reparación',
      'un calendario para huertos urbanos',
      'un mercado de instrumentos usados',
      'un traductor de informes médicos',
      'un registro de contratos públicos',
    ],
    taglines: ['{} que funciona sin conexión', '{} hecho entre vecinos', '{} para el día a día'],
    sentences: [
      'Empezamos con {} porque nada funcionaba en nuestros teléfonos viejos.',
      'Los datos son tuyos y puedes llevártelos cuando quieras.',
      'Lo usan ya treinta familias y dos colegios de la región.',
      'Aprendimos mucho de {name}; cambiamos una sola cosa.',
      'Buscamos a alguien que sepa de contabilidad y tenga paciencia.',
    ],
    comments: [
      '¡Enhorabuena! Lo he instalado en cinco minutos.',
      '¿Se puede usar sin crear una cuenta?',
      'Antes usaba {name}, esto va más rápido.',
      'La segunda página sale en blanco en mi tableta.',
      '¿Habrá versión en catalán? Puedo ayudar.',
    ],
    replies: ['¡Gracias! Lo apunto.', 'Estamos en ello.', 'A mí me pasó lo mismo.'],
    postTitles: ['¿Cómo conseguisteis los primeros clientes?', 'Presentaos aquí'],
    posts: [
      'Me gustaría saber cómo lo habéis resuelto antes de dedicarle otro mes.',
      'Cobramos desde el primer día y no se fue nadie: os cuento cómo.',
    ],
    messages: [
      '¡Hola! Vi tu proyecto y me encantó.',
      'Claro, ¿te va bien el jueves?',
      'Gracias, me ha servido mucho.',
      'Te mando el enlace mañana.',
      'Perdona, estábamos de mudanza.',
      'De acuerdo.',
    ],
    headlines: ['Diseñadora, antes panadera', 'Ingeniero de caminos y de datos'],
    theses: ['Invertimos pronto, despacio y cerca: ayudamos a contratar y a cobrar.'],
    endings: ['Taller', 'Cuaderno', 'Señal', 'Raíz'],
    separator: ' ',
  },
  {
    weight: 2,
    subjects: [
      'eine Karte ruhiger Orte',
      'eine Sammlung von Reparaturanleitungen',
      'ein Kalender für Gemeinschaftsgärten',
      'ein Rechnungsprogramm für Selbstständige',
      'ein Übersetzer für Arztbriefe',
      'eine Börse für gebrauchte Instrumente',
    ],
    taglines: ['{} ohne Werbung', '{} für Vereine', '{}, auch ohne Netz'],
    sentences: [
      'Angefangen hat es damit, dass es {} noch nicht gab.',
      'Alle Daten bleiben auf dem eigenen Gerät und lassen sich jederzeit mitnehmen.',
      'Vierzig Familien und drei Schulen benutzen es seit dem Frühjahr.',
      'Vieles haben wir von {name} gelernt, manches machen wir größer.',
      'Wir suchen jemanden für Übersetzungen und für die Buchführung.',
    ],
    comments: [
      'Läuft bei uns in der Grundschule, die Kinder sind begeistert.',
      'Gibt es den Quelltext irgendwo?',
      'Früher {name} benutzt, das hier ist viel schneller.',
      'Auf dem Tablet bleibt die zweite Seite leer.',
      'Glückwunsch zum Start!',
    ],
    replies: ['Danke, kommt in der nächsten Version.', 'Schreiben wir auf.', 'Ging mir auch so.'],
    postTitles: ['Woher kamen eure ersten Nutzer?', 'Stellt euch vor'],
    posts: [
      'Bevor wir noch einen Monat daran sitzen: Wie habt ihr das gelöst?',
      'Wir haben alles aufgeschrieben, was im ersten Jahr schiefging.',
    ],
    messages: [
      'Hallo! Ich habe dein Projekt gesehen und würde gern reden.',
      'Donnerstag um vier passt mir.',
      'Danke, das hat geholfen.',
      'Schickst du mir den Link noch einmal?',
      'Entschuldige die späte Antwort.',
      'Klingt gut.',
    ],
    headlines: [
      'Entwickelt kleine Werkzeuge für große Familien',
      'Lehrerin, programmiert im Sommer',
    ],
    theses: ['Wir beteiligen uns früh und bleiben lange; am liebsten dort, wo wenige hinsehen.'],
    endings: ['Werkstatt', 'Garten', 'Brücke', 'Licht'],
    separator: ' ',
  },
  {
    weight: 2,
    subjects: [
      '安靜角落地圖',
      '維修手冊圖書館',
      '社區菜園日曆',
      '自由工作者的帳單工具',
      '二手樂器市集',
      '病歷翻譯器',
    ],
    taglines: ['{}，離線也能用', '給忙碌的人的{}', '大家一起做的{}'],
    sentences: [
      '我們從{}開始，因為舊手機上什麼都跑不動。',
      '所有資料都留在你的裝置上，隨時可以匯出。',
      '去年冬天以來，已經有四所學校在使用。',
      '我們從{name}學到很多，只改了一件事。',
      '正在找懂會計的人，也歡迎幫忙翻譯。',
    ],
    comments: [
      '恭喜上線！兩分鐘就會用了。',
      '原始碼有公開嗎？',
      '以前用{name}，這個快很多。',
      '平板上第二頁是空白的。',
      '可以不註冊就使用嗎？',
    ],
    replies: ['謝謝，下一版會改。', '好主意，記下來了。', '我也遇到一樣的問題。'],
    postTitles: ['最早的一百個使用者從哪裡來？', '請在這裡自我介紹'],
    posts: ['在花下一個月之前，想聽聽大家怎麼解決。', '第一年犯的錯我們都寫下來了。'],
    messages: [
      '你好，我看到你的專案，想跟你聊聊。',
      '星期四下午四點可以嗎？',
      '謝謝，很有幫助。',
      '連結可以再傳一次嗎？',
      '好的，沒問題。',
    ],
    headlines: ['替大家庭做小工具的人', '資料庫工程師，喜歡無聊的技術'],
    theses: ['我們很早就投資，也願意等；特別喜歡沒人注意的市場。'],
    endings: ['工坊', '筆記', '地圖', '小屋'],
    separator: '',
  },
  {
    weight: 1,
    subjects: [
      '静かな場所の地図',
      '修理手順の図書館',
      '地域菜園のカレンダー',
      '個人事業主の請求書ツール',
      '中古楽器の市場',
    ],
    taglines: ['オフラインでも使える{}', 'みんなで作る{}', '忙しい人のための{}'],
    sentences: [
      '古い電話では何も動かなかったので、{}から始めました。',
      'データは手元に残り、いつでも書き出せます。',
      '去年の冬から四つの学校で使われています。',
      '{name}から多くを学びました。',
    ],
    comments: [
      '公開おめでとうございます！',
      'ソースコードはどこにありますか。',
      '{name}より速いですね。',
      'タブレットで二ページ目が空になります。',
    ],
    replies: ['ありがとうございます。次の版で直します。', '同じ質問がありました。'],
    postTitles: ['最初の百人の利用者はどこから来ましたか', '自己紹介はこちら'],
    posts: ['もう一か月かける前に、皆さんの解決方法を聞きたいです。'],
    messages: [
      'はじめまして。プロジェクトを拝見しました。',
      '木曜の四時はいかがですか。',
      'ありがとうございます、助かりました。',
      '了解です。',
    ],
    headlines: ['大きな家族のための小さな道具を作っています'],
    theses: ['早く、長く、静かに投資します。'],
    endings: ['工房', 'ノート', 'ラボ'],
    separator: '',
  },
  {
    weight: 1,
    subjects: [
      'карта тихих мест',
      'библиотека инструкций по ремонту',
      'календарь общественных садов',
      'реестр государственных закупок',
      'переводчик медицинских писем',
    ],
    taglines: ['{} без рекламы', '{}, работает без сети', '{} для соседей'],
    sentences: [
      'Мы начали с того, что нам самим нужна была {}.',
      'Данные остаются у вас, их можно выгрузить в любой момент.',
      'С прошлой зимы этим пользуются четыре школы.',
      'Многому мы научились у {name}.',
      'Ищем переводчиков и человека, который разбирается в бухгалтерии.',
    ],
    comments: [
      'Поздравляю с запуском!',
      'Исходный код где-нибудь опубликован?',
      'Раньше пользовался {name}, это быстрее.',
      'На планшете вторая страница пустая.',
    ],
    replies: ['Спасибо, исправим.', 'Хорошая мысль, записали.'],
    postTitles: ['Откуда пришли ваши первые пользователи?', 'Расскажите о себе'],
    posts: ['Прежде чем тратить ещё месяц, хочу узнать, как это решили другие.'],
    messages: [
      'Привет! Видел ваш проект, хотелось бы поговорить.',
      'Давайте в четверг в четыре.',
      'Спасибо, очень помогло.',
      'Хорошо.',
    ],
    headlines: ['Делаю маленькие инструменты для больших семей'],
    theses: ['Вкладываем рано и ждём долго.'],
    endings: ['Сад', 'Мост', 'Маяк'],
    separator: ' ',
  },
  {
    weight: 1,
    subjects: [
      'خريطة للأماكن الهادئة',
      'مكتبة لكتيبات الإصلاح',
      'تقويم لحدائق الحي',
      'سوق للآلات الموسيقية المستعملة',
      'مترجم للتقارير الطبية',
    ],
    taglines: ['{} بلا إعلانات', '{} يعمل دون اتصال', '{} من أهل الحي'],
    sentences: [
      'بدأنا بفكرة {} لأن هواتفنا القديمة لا تشغّل شيئًا آخر.',
      'تبقى البيانات عندك ويمكن تصديرها في أي وقت.',
      'تستخدمه أربع مدارس منذ الشتاء الماضي.',
      'تعلمنا الكثير من {name}.',
    ],
    comments: [
      'مبارك الإطلاق!',
      'هل الشيفرة المصدرية منشورة؟',
      'كنت أستخدم {name}، وهذا أسرع.',
      'الصفحة الثانية فارغة على الجهاز اللوحي.',
    ],
    replies: ['شكرًا، سنصلحها قريبًا.', 'فكرة جيدة.'],
    postTitles: ['من أين جاء مستخدموكم الأوائل؟', 'عرّفوا بأنفسكم'],
    posts: ['أود أن أعرف كيف حلّ الآخرون هذه المسألة قبل أن نقضي فيها شهرًا آخر.'],
    messages: [
      'مرحبًا! رأيت مشروعك وأود الحديث معك.',
      'الخميس في الرابعة مناسب.',
      'شكرًا جزيلًا.',
      'حسنًا.',
    ],
    headlines: ['أصنع أدوات صغيرة لعائلات كبيرة'],
    theses: ['نستثمر مبكرًا وبصبر.'],
    endings: ['ورشة', 'دفتر', 'منارة'],
    separator: ' ',
  },
];

const TOTAL_WEIGHT = LANGUAGES.reduce((sum, { weight }) => sum + weight, 0);

/** A language, by how common it is. */
export function demoLanguage(random: Random): DemoLanguage {
  let point = random.next() * TOTAL_WEIGHT;
  for (const language of LANGUAGES) {
    point -= language.weight;
    if (point < 0) return language;
  }
  throw new RangeError('the weights of the languages do not add up');
}

const SYLLABLES = (
  'ba be bo ca co da de di do el en fa fi ga go ha he il ja jo ka ke ki la le li lo lu ma me mi mo ' +
  'na ne ni no or pa pe po qui ra re ri ro sa se si so su ta te ti to tu ul va ve vi vo wa we xi ya ' +
  'yo za ze zu'
).split(' ');
const CODAS = ['', '', '', 'n', 'r', 's', 'l', 'x', 'm'];

/** An invented name of two or three syllables, sometimes with a second word. */
export function demoProjectName(random: Random, language: DemoLanguage): string {
  let name = '';
  const syllables = 2 + random.below(2);
  for (let i = 0; i < syllables; i += 1) name += random.pick(SYLLABLES);
  name += random.pick(CODAS);
  name = `${name[0]?.toUpperCase()}${name.slice(1)}`;
  return random.chance(0.6) ? name + language.separator + random.pick(language.endings) : name;
}

/** The frame with its places filled. */
export function fill(frame: string, random: Random, language: DemoLanguage): string {
  return frame.replace(/\{(name)?\}/g, (_, name) =>
    name === undefined ? random.pick(language.subjects) : demoProjectName(random, language),
  );
}

/** Begins with a capital letter, where the script has them. */
export function capitalized(text: string): string {
  const [first = ''] = text;
  return first.toUpperCase() + text.slice(first.length);
}

/** Several different sentences of a list, as one paragraph. */
export function paragraph(
  random: Random,
  language: DemoLanguage,
  frames: readonly string[],
  count: number,
): string {
  const order = [...frames];
  random.shuffle(order);
  return order
    .slice(0, count)
    .map((frame) => fill(frame, random, language))
    .join(language.separator);
}

export const TAGS = [
  'open source',
  'education',
  'climate',
  'health',
  'maps',
  'music',
  'gardening',
  'accounting',
  'privacy',
  'offline',
  'cities',
  'bicycles',
  'energy',
  'games',
  'translation',
  'accessibility',
  'hardware',
  'data',
  'public money',
  'housing',
  'food',
  'repair',
  'families',
  'libraries',
  'sensors',
  'elections',
  'développement',
  'água',
  'kultur',
  '教育',
  '地図',
  'транспорт',
];

export const PLACES = [
  'Lisbon',
  'Québec',
  'São Paulo',
  'Zürich',
  'Kraków',
  'İzmir',
  'Tromsø',
  'Nairobi',
  '臺北',
  '大阪',
  'القاهرة',
  'Санкт-Петербург',
  'Montevideo',
  'Cork',
  'Gent',
];
